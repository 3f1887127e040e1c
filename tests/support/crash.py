"""The real command in a process that kills itself (SIGKILL) at one named point, or lists the points that it passes.

`python -m tests.support.crash POINT -- run --json`; POINT is `name#number`, `stop:name#number` (SIGSTOP instead),
`list:FILE`, or `none`. Points lie before and
after every step, every write of data files, every swap of table pointers and every SQL statement that changes the catalog,
and inside a write while its thread is at work.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

_WRITING = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class Points:
    """Counts the points passed; kills the process at the chosen one."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted.removeprefix("stop:")
        self.signal = signal.SIGSTOP if wanted.startswith("stop:") else signal.SIGKILL
        self.counts: Counter[str] = Counter()
        self.passed: list[str] = []

    def at(self, name: str) -> None:
        """Pass a point."""
        self.counts[name] += 1
        point = f"{name}#{self.counts[name]}"
        self.passed.append(point)
        if point == self.wanted:
            os.kill(os.getpid(), self.signal)

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function with a point before and after it."""

        @wraps(work)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.at(f"before {name}")
            result = work(*args, **kwargs)
            self.at(f"after {name}")
            return result

        return wrapped

    def during(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; the chosen call is killed by another thread a moment after it began."""

        @wraps(work)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.counts[f"in {name}"] += 1
            point = f"in {name}#{self.counts[f'in {name}']}"
            self.passed.append(point)
            if point == self.wanted:
                threading.Timer(0.004, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return work(*args, **kwargs)

        return wrapped


def arm(points: Points) -> None:
    """Put the points into the product's modules."""
    from sqlalchemy import Engine, event

    from spark_jobs import plan, publish, release, writer
    from spark_jobs.engines import duckdb
    from spark_jobs.engines.duckdb import DuckDBEngine
    from spark_jobs.plan import Step

    plan.STEPS = tuple(Step(step.name, points.around(f"step {step.name}", step.work), step.reaches) for step in plan.STEPS)
    duckdb.framed_batches = points.around("framing", duckdb.framed_batches)  # type: ignore[attr-defined]
    for engine in [DuckDBEngine, *_spark_engines()]:
        engine.write = points.around("write", points.during("write", engine.write))
    for module in (writer, release):
        module.land = points.around("swap", module.land)  # type: ignore[attr-defined]
    publish.land_release = points.around("landing release", publish.land_release)

    @event.listens_for(Engine, "before_cursor_execute")
    def _statement(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(_WRITING):
            points.at("statement")

    @event.listens_for(Engine, "commit")
    def _commit(_connection: Any) -> None:
        points.at("commit")


def _spark_engines() -> list[Any]:
    """Spark's engine where the run is Spark's: importing it takes a second."""
    if os.environ.get("MEDFLOW_BUILD_ENGINE", "duckdb") == "duckdb":
        return []
    from spark_jobs.engines.spark import SparkEngine

    return [SparkEngine]


def main() -> None:
    wanted, _, *arguments = sys.argv[1:]
    points = Points(wanted)
    arm(points)
    from medflow.cli import main as medflow

    try:
        medflow(arguments)
    finally:
        if wanted.startswith("list:"):
            Path(wanted.removeprefix("list:")).write_text("\n".join(points.passed))


if __name__ == "__main__":
    main()
