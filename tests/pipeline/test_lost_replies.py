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
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.exc import OperationalError

from medflow.errors import GateRefused, MedflowError
from spark_jobs import retention
from spark_jobs.pipeline import Site
from tests.support.counts import counted
from tests.support.lake import Lake, copied_knowledge_base
from tests.support.lost_replies import CHANGES, OWN_TABLE, Change, Loss, Replies, SecondWriter, State, lose_reply, pointers, state_of
from tests.support.write_paths import PATHS, WritePath, put_first, put_refused, run

_SEED, _SHARES = 23, 2
_CELLS = re.compile(r"CLM|PERSON|1234567893|E11|1500|200\.00")
_SQL = re.compile(r"SELECT |INSERT |UPDATE |COMMIT|BEGIN|sqlite3|sqlalche|medflow_files|iceberg_tables")


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
        assert len(commits) >= 3
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
        loss = Loss(
            begin=self.commits[case.number - 1].begin,
            landed=case.landed,
            teller="server" if case.number % 2 else "disk",
            before_begin=act if case.when == "before" else None,
            after_commit=act if case.when == "after" else None,
        )
        begun: list[int] = []
        with Replies(loss, begun.append).watched() as replies:
            error = self.told()
        if begun[: case.number - 1] != [commit.begin for commit in self.commits[: case.number - 1]]:
            yield "until then it made other transactions than when it was left alone, so that a number names no commit"
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
    if not re.search(r"[Rr]un again|Start it|`medflow ", str(error)):
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
    shutil.rmtree(folder, ignore_errors=True)  # a worker that steals tests may come back to a path
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
