"""A command that commits, disturbed at any one of its commits, and what must be true of the lake after it. A stage holds the catalog:
SQLite in this process, or a real Postgres behind a proxy.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Protocol

from medflow.errors import MedflowError
from spark_jobs.pipeline import Site
from tests.support.counts import counted
from tests.support.lake import Lake
from tests.support.lake_state import State, pointers, state_of
from tests.support.lost_replies import Loss, Replies
from tests.support.second_writer import CHANGES, OWN_TABLE, Change, SecondWriter
from tests.support.write_paths import WritePath, run

SEED = 23
_CELLS = re.compile(r"CLM|PERSON|1234567893|E11|1500|200\.00")
_SQL = re.compile(r"SELECT |INSERT |UPDATE |COMMIT|BEGIN|sqlite3|sqlalche|medflow_files|iceberg_tables")


class Watched(Protocol):
    """Transactions as they are counted; whether a reply was lost."""

    lost: bool


class Stage(Protocol):
    """A lake that can be kept as it is, and put back; `worker` is the lake as the disturbed command reaches it."""

    lake: Lake

    @property
    def worker(self) -> Lake: ...
    def keep(self) -> None: ...
    def put_back(self) -> None: ...
    def watched(self, loss: Loss | None, note: Callable[[int], None]) -> AbstractContextManager[Watched]: ...


@dataclass
class FileStage:
    """Everything lies below the lake's home, the SQLite catalog too."""

    lake: Lake
    kept: Path

    @property
    def worker(self) -> Lake:
        return self.lake

    def keep(self) -> None:
        shutil.copytree(self.lake.home, self.kept)

    def put_back(self) -> None:
        shutil.rmtree(self.lake.home)
        shutil.copytree(self.kept, self.lake.home)

    def watched(self, loss: Loss | None, note: Callable[[int], None]) -> AbstractContextManager[Replies]:
        return Replies(loss, note).watched()


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
    stage: Stage
    commits: list[Commit]
    before: State
    after: State
    command: Callable[[Site], object] = run

    @classmethod
    def made(cls, path: WritePath, stage: Stage) -> Scene:
        """The lake as it is now is kept: the command begins from it every time."""
        stage.keep()
        scene = cls(path, stage, [], state_of(stage.lake), State({}, [], [], []))
        scene.commits = scene.undisturbed()
        scene.after = state_of(stage.lake)
        return scene

    def set_up(self) -> None:
        self.command = copy(self.path.command)
        self.stage.put_back()

    @property
    def lake(self) -> Lake:
        return self.stage.lake

    def undisturbed(self) -> list[Commit]:
        """The commits of the command, left alone."""
        self.set_up()
        catalog = self.lake.settings.catalog
        commits: list[Commit] = []
        held = pointers(catalog)

        def note(begin: int) -> None:
            nonlocal held
            former, held = held, pointers(catalog)
            moved = tuple(sorted(name for name in held if held[name] != former.get(name)))
            commits.append(Commit(begin, moved, tuple(sorted(former)), tuple(sorted(held))))

        with self.stage.watched(None, note):
            assert self.told() is None
        assert len(commits) >= 3
        return commits

    def told(self) -> Exception | None:
        """The command as a user gives it: the error that it ends with, its proper answer left out."""
        site = None
        try:
            site = Site.open(self.stage.worker.settings)
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
        changes, random, cases = cycle(CHANGES), Random(SEED), list[Case]()
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
        with self.stage.watched(loss, begun.append) as replies:
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


def problems(scene: Scene, cases: list[Case], sample: int) -> list[str]:
    """What went wrong in a seeded sample of the cases, or in all of them."""
    chosen = Random(SEED).sample(cases, min(len(cases), counted(sample, len(cases))))
    return [f"{case}: {problem}" for case in chosen for problem in scene.problems(case)]
