"""What the wall of an engine in a worker of ours stands among: secrets all around it, and words that nothing it says may hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medflow.digests import sha256_of
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, Query, QueryEngine
from tests.engines.conftest import OPENED, Clerk
from tests.engines.shop import CANARY, CLERK, OWNER, publish

_TELLING = [CANARY, "root:", "diary", "buyer", "birth", "MEDFLOW", "pseudonym"]
_STARTS_WITHIN = 300.0


class Room:
    """A shop, secrets around it, and a worker of the clerk's in the middle. `reader` is the copy of the shop that the clerk's worker has
    open, `other` that of a policy that sees more; both are below `readers`.
    """

    def __init__(self, settings: Settings, engine: QueryEngine) -> None:
        self.settings = settings
        self.secret = settings.home.with_name("secret.txt")
        self.secret.write_text(f"{CANARY},{CANARY}\n", encoding="utf-8")
        engine.run(Query("SELECT count(*) FROM shop.diary", 1, OWNER, 10, _STARTS_WITHIN), Cancellation())
        self.clerk = Clerk(engine)
        self.clerk.ask("SELECT 1", seconds=_STARTS_WITHIN)
        self.readers = settings.home / "readers" / "1"
        self.reader, self.other = (self.readers / f"{policy.hash}.{engine.dialect}" for policy in (CLERK, OWNER))

    def probe(self, sql: str) -> str:
        """The SQL with this room's addresses in it."""
        home = self.settings.home
        parquet = next((home / "data").glob("*.parquet"))
        places = {"file": self.secret, "parquet": parquet, "lake": home, "reader": self.reader, "other": self.other, "canary": CANARY}
        for name, place in places.items():
            sql = sql.replace(f"{{{name}}}", str(place))
        return sql

    def state(self) -> dict[str, str]:
        """Every file around, by content."""
        return {str(path): sha256_of(path) for path in self.settings.home.parent.rglob("*") if path.is_file()}


@contextmanager
def room_of(engine: str, folder: Path) -> Iterator[Room]:
    """A room with secrets in the environment too. At the end every file around is as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDFLOW_PSEUDONYM_KEY", f"{CANARY}-key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", f"{CANARY}-aws")
        settings = publish(folder / "home").model_copy(update={"query_engine": engine})
        made = Room(settings, OPENED[engine](settings))
        before = made.state()
        yield made
        assert made.state() == before, "a probe has changed or made a file"
        made.clerk.engine.close()


def tells(text: str, asked: str = "") -> list[str]:
    """Which telling words a text holds that were not in the question."""
    return [word for word in _TELLING if word in text and word not in asked]
