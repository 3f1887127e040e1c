"""What the pipeline has done, as the service tells it: rows of each release's tables, the quality log, and counts of the queue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from medflow.errors import MedflowError
from medflow.lakehouse.activity import ReleaseSeen
from medflow.lakehouse.quality_reads import FixedRead
from medflow.sql.compile import Dialect, compile_sql
from rag_backend.agents.turn import Services
from rag_backend.assistant import Assistants
from rag_backend.engines.base import Cancellation, Query

_RELEASES_KEPT = 200


class NotReadable(MedflowError):
    """The role may not read the table."""


class ReleaseRows:
    """Rows of each table by release, kept, for a release never changes."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, datetime], Mapping[str, int]] = {}

    def of(self, release: ReleaseSeen, assistants: Assistants) -> Mapping[str, int]:
        """Rows by table; none where the release is no longer kept, or its manifest cannot be read."""
        key = release.release, release.created_at
        if release.expired_on is not None:
            return {}
        if key not in self._known:
            try:
                manifest = assistants.manifest(release.release)
            except MedflowError:
                return {}
            while len(self._known) >= _RELEASES_KEPT:
                self._known.pop(next(iter(self._known)), None)
            self._known[key] = {name: table.records for name, table in manifest.tables.items()}
        return self._known[key]


def rows_of(read: FixedRead, services: Services, limit: int, cancel: Cancellation) -> list[dict[str, Any]]:
    """Rows of a SELECT of ours on a release, by the engine that needs no server, and under the role's own policy.

    Raises:
        NotReadable: the role may not read its table. QueryError: as the engine.
    """
    if read.table not in services.policy.tables:
        raise NotReadable(f"the role {services.policy.role} may not read {read.table}")
    if read.table not in services.release.tables:
        return []
    engine = services.spare or services.engine
    text = compile_sql(f"{read.sql} LIMIT {limit}", cast("Dialect", engine.dialect))
    table = engine.run(Query(text, services.release.number, services.policy, limit, services.limits.seconds), cancel)
    return [dict(zip(read.columns, row, strict=True)) for row in table.rows]
