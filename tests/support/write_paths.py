"""Every command that commits to the lake, each with what goes before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from medflow.errors import GateRefused, MedflowError, UsageError
from medflow.lakehouse.catalog import Lake as Tables
from spark_jobs.maintain import maintain
from spark_jobs.pipeline import Site, run_pipeline
from spark_jobs.restore import restore
from spark_jobs.rework import Selection, rebuild, replay, waive
from spark_jobs.steps import JOBS, JobRequest, run_job
from tests.support.claims import WRITERS, Line, Version
from tests.support.lake import Lake, order

_LATER = date(2026, 7, 20)
_UNITS = Selection(rule="units_range")
_DATES = {"received": date(2026, 4, 1), "adjudicated": date(2026, 4, 9), "paid_on": date(2026, 4, 10)}


@dataclass(frozen=True)
class WritePath:
    """A command that commits, and what a lake goes through before it; `answer` is what it raises when undisturbed.

    One that `forgets` expires old snapshots, also those of the second writer that main has gone on from.
    """

    prepare: Callable[[Lake], None]
    command: Callable[[Site], object]
    answer: type[MedflowError] | None = None
    starts_empty: bool = False
    forgets: bool = False


def claims(count: int = 20) -> list[Version]:
    return [Version(f"CLM{n}", member=f"PERSON{n % 5}", service=date(2026, 1 + n % 3, 5), **_DATES) for n in range(count)]


def too_many_units(claim: str) -> Version:
    return Version(claim, member="PERSON1", lines=(Line(1), Line(2, units=1500)), **_DATES)


def put_first(lake: Lake) -> None:
    """A file of each payer, two claims with a defect in one, and providers."""
    for payer, writer in WRITERS.items():
        aside = [too_many_units("CLMX1"), too_many_units("CLMX2")] if payer == "bluecross" else []
        lake.put(payer, "1.csv", writer([*claims(), *aside]))
    lake.put("reference", "providers.csv", b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n")


def put_second(lake: Lake) -> None:
    """Replacements that move old months, new claims, a defect; and a file that is rejected."""
    dates = {"service": date(2026, 3, 2), "received": date(2026, 5, 1), "adjudicated": date(2026, 5, 9), "paid_on": date(2026, 5, 10)}
    later = [replace(version, sequence=1, **dates) for version in claims(6)]
    new = [replace(version, claim=f"N{version.claim}") for version in claims()]
    for payer, writer in WRITERS.items():
        lake.put(payer, "2.csv", writer([*later, too_many_units("CLMX3"), *new]))
    put_broken(lake)


def put_broken(lake: Lake) -> None:
    lake.put("bluecross", "broken.csv", b"not,the,header\n1,2,3\n")


def put_refused(lake: Lake) -> None:
    lake.put("bluecross", "2.csv", WRITERS["bluecross"]([too_many_units(f"CLMY{n}") for n in range(60)]))


def allow_more_units(lake: Lake) -> None:
    path = lake.knowledge_base / "silver/claim_line.yaml"
    path.write_text(path.read_text().replace("units > 999", "units > 1999"))


def load_second(lake: Lake) -> None:
    put_second(lake)
    lake.run()


def reject_broken(lake: Lake) -> None:
    put_broken(lake)
    lake.run()


def run(site: Site) -> None:
    run_pipeline(site, order(_LATER))


def restore_first(site: Site) -> None:
    now = order(_LATER)
    with site.lock(now) as lock:
        lock.acquire("restore")
        restore(Tables(site.database, site.settings.warehouse), site.ledger, lock, 1, run_date=now.run_date, created_at=now.clock())


def decide(action: str, *rest: str) -> Callable[[Site], object]:
    """`medflow files ACTION` for the rejected file."""

    def command(site: Site) -> None:
        [file] = [entry for entry in site.ledger.files() if entry.name.endswith("broken.csv")]
        with site.lock(order(_LATER)) as lock:
            lock.acquire("files")
            getattr(site.ledger, action)(file.sha256, *rest)

    return command


@dataclass
class JobByJob:
    """The batch as Airflow builds it: one job after the other; after an error again from the job that failed, or as it says."""

    failed: str | None = None

    def __call__(self, site: Site) -> None:
        names = [job.name for job in JOBS]
        try:
            self._run(site, names[names.index(self.failed or names[0]) :])
        except UsageError as error:
            if "begins again" not in str(error):
                raise
            self._run(site, names)

    def _run(self, site: Site, names: list[str]) -> None:
        self.failed = None
        for name in names:
            try:
                run_job(site, order(_LATER), JobRequest(name))
            except Exception:
                self.failed = name
                raise


def look_after(site: Site) -> None:
    """`medflow maintain` two months later."""
    maintain(site, order(date(2026, 9, 20)))


def put_many(lake: Lake) -> None:
    """Small files that are worth compacting, in ten releases."""
    for number in range(2, 11):
        lake.put("bluecross", f"{number}.csv", WRITERS["bluecross"]([Version(f"CLM{number}", member="PERSON1", **_DATES)]))
        lake.run()


def nothing(_lake: Lake) -> None:
    """The first release is all that it takes."""


def rework(work: Callable[..., object], *rest: object) -> Callable[[Site], object]:
    return lambda site: work(site, order(_LATER), *rest)


PATHS = {
    "first load": WritePath(put_first, run, starts_empty=True),
    "second load": WritePath(put_second, run),
    "refused load": WritePath(put_refused, run, answer=GateRefused),
    "rebuild of the history": WritePath(nothing, rework(rebuild, "claims_history")),
    "rebuild of a gold table": WritePath(nothing, rework(rebuild, "claims_monthly_summary")),
    "replay": WritePath(allow_more_units, rework(replay, _UNITS)),
    "replay of what still fails": WritePath(nothing, rework(replay, _UNITS)),
    "waiver": WritePath(nothing, rework(waive, _UNITS)),
    "load job by job": WritePath(put_second, JobByJob()),
    "refused load job by job": WritePath(put_refused, JobByJob(), answer=GateRefused),
    "maintenance": WritePath(put_many, look_after, forgets=True),
    "restore": WritePath(load_second, restore_first),
    "files exclude": WritePath(reject_broken, decide("exclude", "a reason")),
    "files retry": WritePath(reject_broken, decide("retry")),
    "files reject": WritePath(reject_broken, decide("reject", "a reason")),
}
