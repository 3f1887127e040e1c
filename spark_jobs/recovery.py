"""Recovery: a lake whose files are lost is built anew from the landing files of all that the ledger calls published, as a new release.

Today's declarations hold, waivers stand, older releases are no longer kept. Nothing is visible before all of it is verified.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

from medflow.errors import CatalogError, LandingError, UsageError
from medflow.lakehouse.batch_ids import derived_batch_id
from medflow.lakehouse.ledger_entries import FileEntry, ReleaseEntry
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.staging import forget_tables
from spark_jobs.due import Due
from spark_jobs.inspect import Rejected, inspect_files
from spark_jobs.landing import landing_files
from spark_jobs.outcome import FileOutcome, RunOutcome
from spark_jobs.pipeline import Order, Site, build_engine, carry_out, finished, start_run
from spark_jobs.run import Batch

_NAMED = 10


def recover(site: Site, order: Order) -> RunOutcome:
    """Publish a release with the content of all published files; killed anywhere, it can be called again.

    Raises:
        UsageError: there is no release, or the current one is whole.
        LandingError: published files are not in the landing folder; all that are missing are named.
        CatalogError: published files do not read under today's declarations. Others as a run; nothing was published.
    """
    begun = time.monotonic()
    with site.lock(order) as lock:
        lock.acquire("recover", order.wait_seconds, lambda error: order.report(f"waiting: {error}"))
        current = _lost_release(site)
        order.report("landing")
        entries = _published_files(site)
        with build_engine(site.settings) as engines:
            order.report("inspect")
            accepted, rejected = inspect_files(engines.build, site.knowledge_base, entries, site.landing)
            _refuse_rejected(rejected)
            files = tuple(one.file for one in accepted)
            context = (site.knowledge_base.hash, current.release)
            batch_id = derived_batch_id("recovery", [(file.payer, file.sha256) for file in files], [], context)
            _forget_lost_tables(site, lock)
            run = start_run(site, order, lock, engines, Batch(batch_id, "recovery", files), Due({}, (), ()))
            run.expires = tuple(one.release for one in site.ledger.releases() if one.release not in site.ledger.expired())
            carry_out(run)
    outcomes = tuple(FileOutcome(f.payer, f.name, f.sha256, "published", f.records, f.lines) for f in files)
    return finished(run, outcomes, Due({}, (), ()), begun)


def _lost_release(site: Site) -> ReleaseEntry:
    current = site.ledger.current_release()
    if current is None:
        raise UsageError("there is no release that could be lost: `medflow run` makes one from the landing files")
    try:
        site.release()
    except CatalogError:
        return current
    raise UsageError(f"release {current.release} is whole: there is nothing to recover. `medflow verify` counts it again")


def _published_files(site: Site) -> list[FileEntry]:
    """Every published file under its name of today."""
    published = site.ledger.files(state="published")
    names = {(file.payer, file.sha256): file.name for file in landing_files(site.landing, site.knowledge_base.layouts)}
    missing = [f"{entry.name} ({entry.payer}, {entry.sha256[:12]})" for entry in published if entry.key not in names]
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise LandingError(
            f"{len(missing)} of {len(published)} published files are not in the landing folder {site.landing.address}: "
            f"{', '.join(missing[:_NAMED])}{more}. Put them back (`medflow land DIR`), then `medflow run --recover` again"
        )
    return [replace(entry, name=names[entry.key]) for entry in published]


def _refuse_rejected(rejected: Collection[Rejected]) -> None:
    if rejected:
        told = "\n  ".join(f"{one.entry.name}: {one.reason}" for one in rejected)
        raise CatalogError(
            f"{len(rejected)} published files do not read under today's declarations; nothing was changed:\n  {told}\n"
            "Mend the declarations of their payers, then `medflow run --recover` again"
        )


def _forget_lost_tables(site: Site, lock: WriterLock) -> None:
    """Tables of the lake leave the catalog: all that are declared, and others in the warehouse whose metadata is gone."""
    lake = site.lake()
    declared = {spec.name for spec in site.knowledge_base.table_specs}
    inside = {name: place for name, place in lake.pointers().items() if place.startswith(f"{lake.warehouse}/")}
    lost = [name for name, place in inside.items() if name in declared or lake.size(place) is None]
    forget_tables(lake, lost, lock.guard)
