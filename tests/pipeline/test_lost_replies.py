"""The reply to any COMMIT of any write path lost, alone or with a second writer that ignores the lock.

Nothing that was acknowledged is lost, no row is doubled, no table becomes unreadable: the command succeeds or says what to
do, and once it was repeated everything is as after an undisturbed run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.exc import OperationalError

from medflow.errors import GateRefused, MedflowError
from medflow.lakehouse.catalog import Lake as Tables
from spark_jobs import retention
from spark_jobs.maintain import maintain
from spark_jobs.pipeline import Site, run_pipeline
from spark_jobs.restore import restore
from spark_jobs.rework import Selection, rebuild, replay, waive
from spark_jobs.steps import JOBS, JobRequest, run_job
from tests.support.claims import WRITERS, Line, Version
from tests.support.counts import counted
from tests.support.lake import Lake, copied_knowledge_base, order
from tests.support.lost_replies import CHANGES, OWN_TABLE, Change, Loss, Replies, SecondWriter, State, lose_reply, pointers, state_of

_SEED, _SHARES = 23, 2
_LATER = date(2026, 7, 20)
_UNITS = Selection(rule="units_range")
_DATES = {"received": date(2026, 4, 1), "adjudicated": date(2026, 4, 9), "paid_on": date(2026, 4, 10)}
_CELLS = re.compile(r"CLM|PERSON|1234567893|E11|1500|200\.00")
_SQL = re.compile(r"SELECT |INSERT |UPDATE |COMMIT|BEGIN|sqlite3|sqlalche|medflow_files|iceberg_tables")


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


@dataclass(frozen=True)
class Commit:
    """A commit of the undisturbed command: the number of its BEGIN, the tables that it moved, those there before and after it."""

    begin: int
    moved: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One disturbance: which commit loses its reply, and what the second writer commits, just before its BEGIN or after it."""

    number: int
    landed: bool
    when: str = "never"
    table: str = ""
    change: Change = "property"


# --- the write paths ---


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
        begun, self.failed = names.index(self.failed or names[0]), None
        for name in names[begun:]:
            try:
                run_job(site, order(_LATER), JobRequest(name))
            except Exception as error:
                self.failed = None if "begins again" in str(error) else name
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


# --- scenes and cases ---


@dataclass
class Scene:
    """A lake before a command, kept so that it can be set up again; the commits and the end of the undisturbed command."""

    path: WritePath
    lake: Lake
    kept: Path
    commits: list[Commit]
    before: State
    after: State
    command: Callable[[Site], object] = run

    @classmethod
    def made(cls, path: WritePath, lake: Lake, kept: Path) -> Scene:
        scene = cls(path, lake, kept, [], state_of(lake), State({}, [], [], []))
        scene.commits = scene.undisturbed()
        scene.after = state_of(lake)
        return scene

    def set_up(self) -> None:
        self.command = copy(self.path.command)
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)

    def undisturbed(self) -> list[Commit]:
        """The commits of the command, left alone."""
        self.set_up()
        catalog = self.lake.settings.home / "lake.db"
        commits: list[Commit] = []
        held = pointers(catalog)

        def note(begin: int) -> None:
            nonlocal held
            former, held = held, pointers(catalog)
            moved = tuple(sorted(name for name in held if held[name] != former.get(name)))
            commits.append(Commit(begin, moved, tuple(sorted(former)), tuple(sorted(held))))

        with Replies(note=note).watched() as replies:
            assert self.told() is None
        assert replies.other_threads <= {"medflow-lock"}
        return commits

    def told(self) -> Exception | None:
        """The command as a user gives it: the error that it ends with, its proper answer left out."""
        site = None
        try:
            site = Site.open(self.lake.settings)
            self.command(site)
        except Exception as error:
            return None if self.path.answer and isinstance(error, self.path.answer) else error
        else:
            return AssertionError("not refused") if self.path.answer else None
        finally:
            if site:
                site.database.dispose()

    def alone(self) -> list[Case]:
        """The reply to each commit lost, the commit having landed or not."""
        return [Case(number, landed) for number in range(1, len(self.commits) + 1) for landed in (True, False)]

    def with_second_writer(self) -> list[Case]:
        """The same, and a second writer commits to a table that the commit moves, and to another: one of ours or its own.

        Before a commit that moves the table, landed is all there is: the swap finds the table moved, so no reply is left to lose.
        """
        changes, random, cases = cycle(CHANGES), Random(_SEED), list[Case]()
        for alone in self.alone():
            for when in ("before", "after") if alone.landed else ("after",):
                if moved := [table for table in self._there(alone, when) if table in self.commits[alone.number - 1].moved]:
                    cases.append(replace(alone, when=when, table=random.choice(moved), change=next(changes)))
            when = random.choice(("before", "after"))
            others = [table for table in self._there(alone, when) if table not in self.commits[alone.number - 1].moved]
            other = random.choice([*others, *[OWN_TABLE] * (1 + len(others) // 2)])
            cases.append(replace(alone, when=when, table=other, change="new table" if other == OWN_TABLE else next(changes)))
        return cases

    def _there(self, case: Case, when: str) -> tuple[str, ...]:
        """The tables that the second writer finds."""
        commit = self.commits[case.number - 1]
        return commit.after if when == "after" and case.landed else commit.before

    def problems(self, case: Case) -> Iterator[str]:
        """What is not as promised after the disturbed command, and after it was given again if it failed."""
        self.set_up()
        writer = SecondWriter(self.lake.settings)
        act = partial(writer.change, case.table, case.change)
        replies = Replies(
            Loss(
                begin=self.commits[case.number - 1].begin,
                landed=case.landed,
                teller="server" if case.number % 2 else "disk",
                before_begin=act if case.when == "before" else None,
                after_commit=act if case.when == "after" else None,
            )
        )
        with replies.watched():
            error = self.told()
        in_the_way = case.when == "before" and (error is None or (isinstance(error, MedflowError) and "another writer" in str(error)))
        if not replies.lost and not in_the_way:
            yield f"no reply was lost, and no second writer was in the way: {error!r}"
        if writer.turns != (case.when != "never"):
            yield "the second writer did not have its turn"
        yield from (f"{problem}; at first the command ended with {error!r}" for problem in self._after(error))
        if lost := [one for one in writer.missing() if not (self.path.forgets and one[1] == "main")]:
            yield f"what the second writer was told is done is gone: {lost}; the command ended with {error!r}"

    def _after(self, error: Exception | None) -> Iterator[str]:
        if error:
            yield from _unclear(error)
            between = state_of(self.lake)
            yield from between.unsound
            if between.content not in (self.before.content, self.after.content):
                yield "readers saw neither the former release nor the new one"
            if again := self.told():
                yield f"the same command again ended with {again!r}"
        end = state_of(self.lake)
        yield from end.unsound
        if end.content != self.after.content:
            yield "other content than after an undisturbed command"
        if end.files != self.after.files:
            yield f"other states of files: {set(end.files) ^ set(self.after.files)}"
        if end.batches != self.after.batches:
            yield f"other states of batches: {set(end.batches) ^ set(self.after.batches)}"
        if end.releases != self.after.releases:
            yield f"other releases: {end.releases}"


def _unclear(error: Exception) -> Iterator[str]:
    """What a user must not be told."""
    if not isinstance(error, MedflowError):
        yield f"not an error of ours: {error!r}"
    if _SQL.search(str(error)) or _CELLS.search(str(error)):
        yield f"an error that quotes SQL or a cell: {error}"
    if not re.search(r"[Rr]un again|begins again with|Start it|`medflow ", str(error)):
        yield f"an error that does not say what to do: {error}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with declarations, the home of a lake with one release, and room for the lake at work."""
    folder = tmp_path_factory.mktemp("lost")
    lake = Lake(folder / "lake", copied_knowledge_base(folder / "knowledge_base"))
    put_first(lake)
    lake.run()
    lake.home.rename(folder / "released")
    return folder


@pytest.fixture(scope="module", params=PATHS)
def scene(request: pytest.FixtureRequest, workshop: Path) -> Iterator[Scene]:
    """A write path's lake before and after. Every lake lies at the same place, since metadata names its place.

    Retention counts to three here: thirty releases would be long in the making.
    """
    path, folder = PATHS[request.param], workshop / request.param
    lake = Lake(workshop / "lake", folder / "knowledge_base")
    shutil.copytree(workshop / "knowledge_base", lake.knowledge_base)
    shutil.rmtree(lake.home, ignore_errors=True)
    if path.starts_empty:
        lake.home.mkdir()
    else:
        shutil.copytree(workshop / "released", lake.home)
    path.prepare(lake)
    shutil.copytree(lake.home, folder / "kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retention, "KEPT_RELEASES", 3)
        yield Scene.made(path, lake, folder / "kept")


def problems(scene: Scene, cases: list[Case], sample: int) -> list[str]:
    """What went wrong in a seeded sample of the cases, or in all of them."""
    chosen = Random(_SEED).sample(cases, min(len(cases), counted(sample, len(cases))))
    return [f"{case}: {problem}" for case in chosen for problem in scene.problems(case)]


def test_the_commits_are_the_same_each_time(scene: Scene) -> None:
    """From the same state a command makes the same transactions in the same order, so that a number names a commit."""
    assert len(scene.commits) >= 3
    assert scene.undisturbed() == scene.commits


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_lost_reply_changes_nothing(scene: Scene, share: int) -> None:
    """At each commit, landed or not."""
    assert problems(scene, scene.alone()[share::_SHARES], 1) == []


@pytest.mark.parametrize("share", range(_SHARES))
def test_a_lost_reply_with_a_second_writer_loses_nothing_of_either(scene: Scene, share: int) -> None:
    """The second writer commits just before or after; what it was told is done stays, or our command was refused."""
    assert problems(scene, scene.with_second_writer()[share::_SHARES], 1) == []


def test_a_refusal_that_was_cut_short_is_refused_again(lake: Lake) -> None:
    """The batch counts as refused only once its files do, so that they can be retried."""
    put_refused(lake)
    site = lake.site()
    lose_reply(site.database, "UPDATE medflow_batches SET state", landed=True)
    with pytest.raises(OperationalError):
        run(site)
    with pytest.raises(GateRefused):
        run(lake.site())
    [file] = site.ledger.files()
    assert (file.state, file.reason_code) == ("refused", "gate")
    assert site.ledger.retry(file.sha256).retry
