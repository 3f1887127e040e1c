"""The plan in jobs, each a process of its own: what Airflow starts. A job goes on from the branch that the job before it left.

Between jobs a batch is its branch and one row a finished job in the catalog database; readers see nothing before `publish`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from medflow.errors import GateRefused, UsageError
from medflow.lakehouse.batch_steps import BatchSteps, FinishedJob
from spark_jobs.due import Due
from spark_jobs.pipeline import Engines, Order, Site, build_engine, carry_out, import_engine, run_pipeline, start_run
from spark_jobs.unchanged import COMMAND, check_unchanged, must_begin_again

if TYPE_CHECKING:
    from spark_jobs.carried import Carried, Origin
    from spark_jobs.run import Run


@dataclass(frozen=True)
class Job:
    """Steps of the plan that one process does. `builds`: with the build engine; the others read and count with DuckDB."""

    name: str
    steps: tuple[str, ...]
    builds: bool = False


JOBS = (
    Job("bronze", ("open", "bronze", "land bronze"), builds=True),
    Job("verify-bronze", ("verify bronze",)),
    Job("silver", ("silver", "providers"), builds=True),
    Job("verify-silver", ("verify silver",)),
    Job("gate", ("quality gate",)),
    Job("gold", ("gold",), builds=True),
    Job("verify-gold", ("verify gold", "recompute")),
    Job("publish", ("quality log", "publish")),
)
_NAMES = tuple(job.name for job in JOBS)
_FIRST, _GATE = _NAMES[0], "gate"


@dataclass(frozen=True)
class JobRequest:
    """Which job to run, for which batch (None = the one under way), and the run date if one was given."""

    job: str
    batch_id: str | None = None
    run_date: date | None = None


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job. `rows` = table -> rows that this job wrote; `batch_id` is null if nothing was taken.

    `rejected` counts files; `notices` are sentences on rebuilds that are due and files that are gone.
    """

    batch_id: str | None
    job: str
    release: int | None = None
    rejected: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notices: tuple[str, ...] = ()

    @property
    def all_rejected(self) -> bool:
        return self.batch_id is None and self.rejected > 0

    @property
    def sentence(self) -> str:
        """What happened and what to do next."""
        if self.all_rejected:
            return "every file was rejected; nothing was taken. `medflow files list` says why: mend them, or the payer's declaration"
        if self.batch_id is None:
            return "nothing changed: no new file waits in the landing folder"
        if self.release is not None and not self.rows:
            return f"batch {self.batch_id} is published as release {self.release}; nothing is left to do"
        if self.release is not None:
            return f"batch {self.batch_id} was published as release {self.release} in {self.seconds:.1f} s"
        told = [f"{self.job} done in {self.seconds:.1f} s"]
        told += [f"{count:,} rows of {table.split('.')[1]}" for table, count in self.rows.items()]
        told += [f"{self.rejected} files rejected"] if self.rejected else []
        return f"batch {self.batch_id}: {', '.join(told)}; next: {COMMAND} {JOBS[_NAMES.index(self.job) + 1].name}"

    def to_dict(self) -> dict[str, Any]:
        """What `--json` prints: no notices, which name files."""
        return {name: value for name, value in asdict(self).items() if name != "notices"}


def run_job(site: Site, order: Order, request: JobRequest) -> JobOutcome:
    """Run one job; one that was finished before runs again, and those after it must, too.

    Raises:
        UsageError: it is not this job's turn, or the batch must begin again; says what to run.
        GateRefused: the batch is or was refused. Others as `run_pipeline`; the job can be run again.
    """
    job = JOBS[_NAMES.index(request.job)]
    if job.name != _FIRST:
        return _go_on(site, order, job, request)
    if request.batch_id:
        raise UsageError(f"{_FIRST} finds its batch in the landing folder and prints its id; leave out --batch")
    return _begin(site, order, job)


def _begin(site: Site, order: Order, job: Job) -> JobOutcome:
    def build(run: Run) -> None:
        from spark_jobs.carried import Origin

        BatchSteps(site.database).begin(run.lock)
        carry_out(run, job.steps)
        current = site.ledger.current_release()
        _record(run, job, Origin(current.release if current else None, _heads(run, "main")), order.clock())

    outcome = run_pipeline(site, order, build)
    rejected = sum(file.state == "rejected" for file in outcome.files)
    return JobOutcome(outcome.batch_id, job.name, None, rejected, outcome.rows, outcome.pipeline_seconds, outcome.notices)


def _go_on(site: Site, order: Order, job: Job, request: JobRequest) -> JobOutcome:
    begun, finished = time.monotonic(), BatchSteps(site.database)
    batch_id = _known_batch(site, finished, request)
    with site.lock(order) as lock:
        lock.acquire(batch_id, order.wait_seconds, lambda error: order.report(f"waiting: {error}"))
        if release := site.ledger.release_of_batch(batch_id):
            return JobOutcome(batch_id, job.name, release.release, seconds=_since(begun))
        before = _job_before(site, finished, job, batch_id)
        begun += import_engine()
        carried = _carried(site, before, request)
        check_unchanged(site, before, carried)
        finished.forget(lock, batch_id, _NAMES[_NAMES.index(job.name) :])
        with _engines(site, job) as engines:
            run = start_run(site, replace(order, run_date=carried.run_date), lock, engines, carried.batch, Due({}, (), ()))
            carried.into_run(run)
            run.writer.reset(list(before.heads), before.heads)
            carry_out(run, job.steps)
            if run.release is None:
                _record(run, job, carried.origin, order.clock())
    written = {name: count for name, count in run.rows.items() if carried.rows.get(name) != count}
    return JobOutcome(batch_id, job.name, run.release, rows=written, seconds=_since(begun))


def _known_batch(site: Site, finished: BatchSteps, request: JobRequest) -> str:
    batch_id = request.batch_id or finished.batch_under_way()
    if batch_id is None:
        raise UsageError(f"no batch is under way; `{COMMAND} {_FIRST}` begins one")
    if site.ledger.batch(batch_id) is None:
        raise UsageError(f"there is no batch {batch_id}; `{COMMAND} {_FIRST}` prints the id of the one that it begins")
    return batch_id


def _job_before(site: Site, finished: BatchSteps, job: Job, batch_id: str) -> FinishedJob:
    """The job that this one goes on from. Raises UsageError, or GateRefused where the gate has said no."""
    place, entry = _NAMES.index(job.name), site.ledger.batch(batch_id)
    if entry and entry.state == "refused" and place > _NAMES.index(_GATE):
        raise GateRefused(entry.message or f"the quality gate refused batch {batch_id}")
    done = finished.finished(batch_id)
    if not done:
        other = finished.batch_under_way()
        instead = f" (batch {other} is)" if other else ""
        raise UsageError(f"batch {batch_id} is not under way{instead}; `{COMMAND} {_FIRST}` takes what waits as a batch")
    if missing := next((name for name in _NAMES[:place] if name not in done), None):
        raise UsageError(f"batch {batch_id}: {missing} is not finished; next: {COMMAND} {missing} --batch {batch_id}")
    return done[_NAMES[place - 1]]


def _carried(site: Site, before: FinishedJob, request: JobRequest) -> Carried:
    from pydantic import ValidationError

    from spark_jobs.carried import Carried

    try:
        carried = Carried.from_json(dict(before.carried), site.landing)
    except (ValidationError, KeyError):
        raise must_begin_again(before.batch_id, "another version of MedFlow built what is there of it") from None
    if request.run_date not in (None, carried.run_date):
        raise UsageError(f"batch {before.batch_id} runs under the date {carried.run_date}, given to {_FIRST}; leave out --date")
    return carried


@contextmanager
def _engines(site: Site, job: Job) -> Iterator[Engines]:
    """The engines of a job: a wrong name is told by every job, Spark is started by those that build."""
    settings = site.settings
    if settings.builds_with_spark and not job.builds:
        settings = settings.model_copy(update={"build_engine": "duckdb"})
    with build_engine(settings) as engines:
        yield engines


def _record(run: Run, job: Job, origin: Origin, finished_at: datetime) -> None:
    from spark_jobs.carried import Carried

    content = Carried.from_run(run, origin).to_json()
    entry = FinishedJob(run.batch.id, job.name, _heads(run, "branch"), content, finished_at)
    BatchSteps(run.ledger.engine).record(run.lock, entry)


def _heads(run: Run, ref: Literal["branch", "main"]) -> dict[str, int]:
    return {spec.name: run.writer.head(spec.name, ref) for spec in run.knowledge_base.table_specs}


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)
