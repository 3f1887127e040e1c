"""`medflow verify`: the whole current release counted again, from the files that its manifest names."""

from __future__ import annotations

from collections.abc import Callable

from medflow.lakehouse.releases import read_release
from spark_jobs.pipeline import Site, private_engine
from spark_jobs.reference import load_code_lists
from spark_jobs.verify import Finding, Verifier


def verify_release(site: Site, report: Callable[[str], None]) -> tuple[int, list[Finding]]:
    """The release's number and every finding. Raises CatalogError: there is no release, or a file of it is gone."""
    release = read_release(site.database)
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
