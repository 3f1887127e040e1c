"""`python -m spark_jobs` on a lake, in this process, and the files of two batches for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from spark_jobs.__main__ import main
from spark_jobs.steps import JOBS
from tests.support.claims import WRITERS, Line, Version
from tests.support.lake import ROOT, Lake

NAMES = [job.name for job in JOBS]
DATED = ("--date", "2026-07-01")
PROVIDERS = b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n1245319599,Bo Ray,Oncology,CA\n99,No One,,\n"


def sound(count: int, start: int = 0) -> list[Version]:
    """Claims of three months of service."""
    late = {"received": date(2026, 4, 1), "adjudicated": date(2026, 4, 9), "paid_on": date(2026, 4, 10)}
    return [Version(f"C{n}", member=f"M{n % 7}", service=date(2026, 1 + n % 3, 5), **late) for n in range(start, start + count)]


def put_first(lake: Lake) -> None:
    """A file of each payer, with a line in error, its sibling, and providers."""
    bad = replace(sound(1)[0], claim="BAD", lines=(Line(1), Line(2, units=0)))
    for payer, writer in WRITERS.items():
        lake.put(payer, "1.csv", writer([*sound(30), bad]))
    lake.put("reference", "providers.csv", PROVIDERS)


def put_second(lake: Lake) -> None:
    """Replacements that move claims out of old months, new claims, and a file that is rejected."""
    later = {"received": date(2026, 5, 1), "adjudicated": date(2026, 5, 9), "paid_on": date(2026, 5, 10)}
    moved = [replace(version, sequence=1, service=date(2026, 3, 2), **later) for version in sound(6)]
    for payer, writer in WRITERS.items():
        lake.put(payer, "2.csv", writer([*moved, *sound(20, 100)]))
    lake.put("aetna", "empty.csv", b"")


@dataclass
class Steps:
    """`python -m spark_jobs` on a lake, in this process."""

    lake: Lake
    captured: Callable[[], tuple[str, str]]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self.captured()
        code = main(list(arguments))
        return (code, *self.captured())

    def told(self, *arguments: str) -> dict[str, Any]:
        """The one line of JSON of a job that goes well."""
        code, out, err = self.run(*arguments, "--json")
        assert (code, err, out.count("\n")) == (0, "", 1), err
        return json.loads(out)

    def refused(self, *arguments: str, code: int = 2) -> str:
        """What is said when a job does not run, or ends with this exit code."""
        found, out, err = self.run(*arguments)
        assert (found, out) == (code, ""), (out, err)
        return err

    def through(self, first: str = "bronze", last: str = "publish") -> dict[str, Any]:
        """The jobs from one to another; what the last said."""
        outcomes = [self.told(name, *DATED) for name in NAMES[NAMES.index(first) : NAMES.index(last) + 1]]
        assert len({outcome["batch_id"] for outcome in outcomes}) == 1
        return outcomes[-1]

    def killed(self, point: str, *arguments: str) -> None:
        """A job in a process that kills itself at a point."""
        script = (
            "import sys; from tests.support.crash import Points, arm; arm(Points(sys.argv[1]));"
            "from spark_jobs.__main__ import main; sys.exit(main(sys.argv[2:]))"
        )
        command = [sys.executable, "-c", script, point, *arguments]
        died = subprocess.run(command, env=self.lake.environment(), cwd=ROOT, capture_output=True, text=True, check=False)
        assert died.returncode == -9, (point, died.stdout, died.stderr)
