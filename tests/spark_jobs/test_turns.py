"""Statements that do not fit side by side run again alone."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from medflow.errors import CatalogError
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.engines.turns import Turns


def test_alone_waits_for_all_others_and_they_for_it() -> None:
    """Never together with another."""
    turns, inside, seen = Turns(), [], []
    lock = threading.Lock()

    def work(alone: bool) -> None:
        for _ in range(200):
            with turns.alone() if alone else turns.together():
                with lock:
                    inside.append(alone)
                    seen.append(tuple(inside))
                with lock:
                    inside.remove(alone)

    threads = [threading.Thread(target=work, args=(alone,)) for alone in (True, False, False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert len(seen) == 800
    assert all(len(now) == 1 for now in seen if True in now)


def test_a_statement_that_did_not_fit_is_run_again(tmp_path: Path) -> None:
    """Once more, alone; what does not fit alone either is told."""
    engine = DuckDBEngine(tmp_path, memory="100MB", threads=1)
    asked = []

    def fits_alone() -> str:
        asked.append(engine._turns._alone)
        if not engine._turns._alone:
            raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")
        return "rows"

    def never_fits() -> str:
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")

    assert engine._statement(fits_alone) == "rows"
    assert asked == [False, True]
    with pytest.raises(CatalogError, match="MEDFLOW_MEMORY"):
        engine._statement(never_fits)
    engine.define("after", "SELECT 1 AS one")
    assert engine.fetch("SELECT one FROM after") == [{"one": 1}]
    engine.close()


def test_what_does_not_fit_alone_runs_on_one_thread(tmp_path: Path) -> None:
    """A statement that needs more for two threads than there is; afterwards there are two again."""
    engine = DuckDBEngine(tmp_path, memory="1GB", threads=2)
    tried: list[int] = []

    def ask() -> int:
        (threads,) = engine._cursor.execute("SELECT current_setting('threads')").fetchone() or (0,)
        tried.append(threads)
        if tried[-1] > 1:
            raise duckdb.OutOfMemoryException("Out of Memory Error: not for two")
        return 7

    assert engine._statement(ask) == 7
    assert tried == [2, 2, 1]
    assert engine._cursor.execute("SELECT current_setting('threads')").fetchone() == (2,)
    engine.close()
