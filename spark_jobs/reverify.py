"""`medflow verify`: the whole current release counted again, from the files that its manifest names."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from medflow.errors import UsageError
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.data_files import Partition, described
from medflow.lakehouse.releases import DataFileInfo, Release
from spark_jobs.due import Due
from spark_jobs.pipeline import Order, Site, assembled, private_engine, private_engines
from spark_jobs.recompute import shadow
from spark_jobs.reference import load_code_lists
from spark_jobs.rework import batch_files
from spark_jobs.run import CLEAN, HISTORY, PROVIDERS, Batch
from spark_jobs.verify import Finding, Verifier


@dataclass(frozen=True)
class ReleasedFiles:
    """The files of a release, whatever ref is asked for."""

    lake: Lake
    release: Release

    def files(self, table: str, ref: Any, partitions: Collection[Partition] | None = None) -> list[DataFileInfo]:
        """As a branch writer tells them."""
        if table not in self.release.tables:
            return []
        held = self.lake.table(table)
        return [described(held, file) for file in self.lake.data_files(held, self.release.tables[table].snapshot, partitions)]


def verify_release(site: Site, report: Callable[[str], None]) -> tuple[int, list[Finding]]:
    """The release's number and every finding. Raises CatalogError: there is no release, or a file of it is gone."""
    release = site.release()
    contents = site.ledger.contents(release.number)
    records = {entry.sha256: entry.records or 0 for entry in site.ledger.files() if entry.key in contents}

    def files(table: str) -> list[str]:
        return release.tables[table].files if table in release.tables else []

    with private_engine(site.settings) as engine:
        load_code_lists(engine, site.knowledge_base)
        verifier = Verifier(engine, site.knowledge_base, files)
        report("bronze")
        findings = verifier.bronze(records)
        report("silver")
        findings += [*verifier.silver(), *verifier.providers()]
        for name, table in site.knowledge_base.gold.items():
            if name in release.tables:
                report(name)
                findings += verifier.gold(table, None)
    return release.number, findings


def recompute_release(site: Site, order: Order) -> list[Finding]:
    """Silver and gold of the current release told again from its bronze by the build engine, every row compared.

    Raises:
        UsageError: a rebuild is due, so that today's declarations are not those that the release was built with.
    """
    release = site.release()
    if due := site.due().notices:
        raise UsageError(f"release {release.number} was not built by today's declarations: {'; '.join(due)}")
    tables = [table for table in (HISTORY, CLEAN, PROVIDERS, *site.knowledge_base.gold) if table in release.tables]
    batch = Batch("recomputed", "rebuild", batch_files(site, set(site.ledger.contents(release.number))), tuple(tables))
    with private_engines(site.settings) as engines:
        run = assembled(site, order, site.lock(order), engines, batch, Due({}, (), ()))
        order.report(f"again with {engines.build.name}")
        return shadow(run, engines.build, ReleasedFiles(run.lake, release)).compared()
