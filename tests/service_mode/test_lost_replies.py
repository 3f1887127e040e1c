"""The reply to any COMMIT of any write path lost between a real Postgres and its client, alone or with a second writer.

The same promises as on SQLite (tests/pipeline/test_lost_replies.py): nothing acknowledged is lost, no row is doubled, no table becomes
unreadable, and the same command given again ends where an undisturbed one does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest

from medflow.lakehouse import lock
from spark_jobs import retention
from tests.service_mode.postgres_proxy import Counted, PostgresProxy
from tests.services.postgres import Postgres
from tests.support.disturbed import Scene, problems
from tests.support.lake import Lake, copied_knowledge_base
from tests.support.lost_replies import Loss
from tests.support.write_paths import PATHS, put_first

_DATABASE, _RELEASED, _KEPT = "lost", "lost_released", "lost_kept"


@dataclass
class ServerStage:
    """Files below the lake's home, the catalog in a database of Postgres; the command reaches it through the proxy."""

    lake: Lake
    server: Postgres
    proxy: PostgresProxy
    kept: Path

    @property
    def worker(self) -> Lake:
        return replace(self.lake, catalog=self.server.url(_DATABASE, self.proxy.port))

    def keep(self) -> None:
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.lake.home, self.kept)
        copied(self.server, _DATABASE, _KEPT)

    def put_back(self) -> None:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)
        copied(self.server, _KEPT, _DATABASE)

    def watched(self, loss: Loss | None, note: Callable[[int], None]) -> AbstractContextManager[Counted]:
        return self.proxy.watched(loss, note)


def copied(server: Postgres, source: str | None, target: str) -> None:
    """A database as another one is, or an empty one, in place of the one of its name."""
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            if source:
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [source])
            cursor.execute(f"CREATE DATABASE {target}" + (f" TEMPLATE {source}" if source else ""))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres) -> Path:
    """A folder with declarations, and a lake with one release: its files below `released`, its catalog in a database."""
    folder = tmp_path_factory.mktemp("lost")
    copied(postgres_server, None, _DATABASE)
    lake = Lake(folder / "lake", copied_knowledge_base(folder / "knowledge_base"), catalog=postgres_server.url(_DATABASE))
    put_first(lake)
    lake.run()
    lake.home.rename(folder / "released")
    copied(postgres_server, _DATABASE, _RELEASED)
    return folder


@pytest.fixture(scope="module")
def proxy(postgres_server: Postgres) -> Iterator[PostgresProxy]:
    with closing(PostgresProxy(postgres_server.port)) as listening:
        yield listening


@pytest.fixture(scope="module", params=PATHS)
def scene(request: pytest.FixtureRequest, workshop: Path, postgres_server: Postgres, proxy: PostgresProxy) -> Iterator[Scene]:
    """A write path's lake before and after. The lock's heartbeat, which comes by the clock, stays away: each transaction has its number."""
    path, folder = PATHS[request.param], workshop / request.param
    lake = Lake(workshop / "lake", folder / "knowledge_base", catalog=postgres_server.url(_DATABASE))
    shutil.copytree(workshop / "knowledge_base", lake.knowledge_base)
    shutil.rmtree(lake.home, ignore_errors=True)
    copied(postgres_server, None if path.starts_empty else _RELEASED, _DATABASE)
    if path.starts_empty:
        lake.home.mkdir()
    else:
        shutil.copytree(workshop / "released", lake.home)
    path.prepare(lake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "KEPT_RELEASES", 3)
        patch.setattr(lock, "BEAT_SECONDS", 3600)
        yield Scene.made(path, ServerStage(lake, postgres_server, proxy, folder / "kept"))


def test_a_lost_reply_changes_nothing(scene: Scene) -> None:
    """At each commit, landed or not."""
    assert problems(scene, scene.alone(), 1) == []


def test_a_lost_reply_with_a_second_writer_loses_nothing_of_either(scene: Scene) -> None:
    """The second writer commits just before or after; what it was told is done stays, or our command was refused."""
    assert problems(scene, scene.with_second_writer(), 1) == []
