"""`medflow maintain`: tables compacted, old releases and branches expired, orphan files deleted, in this order, under the lock.

Each part stands by itself: killed anywhere, the next call goes on, and what is published stays whole throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spark_jobs.compaction import Compacted, Compaction, compact
from spark_jobs.orphans import Swept, sweep
from spark_jobs.pipeline import Order, Site
from spark_jobs.retention import Retired, retire


@dataclass(frozen=True)
class TableCare:
    """What was done to one table, or to the folder `_releases`."""

    table: str
    snapshots: int
    compacted: Compacted | None
    swept: Swept

    @property
    def changed(self) -> bool:
        return bool(self.snapshots or self.compacted or self.swept.files)


@dataclass(frozen=True)
class MaintainOutcome:
    """`release` is the one that holds compacted tables, if any. Tables that nothing was done to are left out."""

    batch_id: str | None
    release: int | None
    expired: tuple[int, ...]
    branches: tuple[str, ...]
    tables: tuple[TableCare, ...] = field(default_factory=tuple)

    @property
    def nothing_done(self) -> bool:
        return not (any(table.changed for table in self.tables) or self.release or self.expired or self.branches)

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {**asdict(self), "nothing_done": self.nothing_done}


def maintain(site: Site, order: Order) -> MaintainOutcome:
    """Look after the lake as of the order's run date; files count as old by the order's clock.

    Raises:
        UsageError: there is no such build engine. LockedError: another run is at work.
        VerificationError, CatalogError, FencedError: says what was left undone.
    """
    engine = "Spark" if site.settings.builds_with_spark else "DuckDB"
    with site.lock(order) as lock:
        lock.acquire("maintain", order.wait_seconds, lambda error: order.report(f"waiting: {error}"))
        order.report(f"looking for files that {engine} should rewrite")
        compaction = compact(site, order, lock)
        lake = site.lake()
        order.report("expiring releases")
        retired = retire(lake, site.ledger, lock, order.run_date)
        order.report("looking for orphan files")
        swept = sweep(lake, site.ledger, lock, order.clock())
    return _outcome(compaction, retired, swept)


def _outcome(compaction: Compaction, retired: Retired, swept: Mapping[str, Swept]) -> MaintainOutcome:
    tables = [TableCare(name, retired.snapshots.get(name, 0), compaction.tables.get(name), found) for name, found in swept.items()]
    cared = tuple(table for table in tables if table.changed or table.swept.waiting_files)
    return MaintainOutcome(compaction.batch_id, compaction.release, retired.releases, retired.branches, cared)
