"""The lake that Airflow's tasks work on, seen from outside: files landed as a payer's are, processes found and killed, a twin to compare."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.services.airflow import Airflow
from tests.support.lake import ROOT, Lake

CLAIMS = "claims_medallion"


@dataclass
class Scene:
    """A running Airflow, its lake, and a lake of equal files on which `medflow run` works."""

    airflow: Airflow
    lake: Lake
    twin: Lake
    folder: Path

    def land(self, name: str, *options: str) -> None:
        """Generate files, and land them in both lakes by the command."""
        out = self.folder / name
        arguments = ["generate", "--out", str(out), *options]
        done = self.lake.command(*arguments)
        assert done.returncode == 0, done.stderr
        for lake in (self.lake, self.twin):
            done = lake.command("land", str(out))
            assert done.returncode == 0, done.stderr

    def started(self) -> list[str]:
        """The runs that new files have started, in their order."""
        runs = [run for run in self.airflow.runs(CLAIMS) if run["run_type"] == "asset_triggered"]
        return [run["dag_run_id"] for run in sorted(runs, key=lambda run: run["queued_at"])]

    def land_and_wait(self, name: str, *options: str, within: float = 600.0) -> str:
        """Land files; the run that they start."""
        known = len(self.started())
        self.land(name, *options)
        latest = time.monotonic() + within
        while len(started := self.started()) <= known:
            assert time.monotonic() < latest, f"new files started no run: {self.airflow.parts['triggerer'].last_words()}"
            time.sleep(0.5)
        return started[known]

    def agrees(self) -> None:
        """The twin takes its files by `medflow run`: the same release, row for row."""
        self.twin.run(self.lake.site().ledger.current_release().run_date)
        assert self.lake.content() == self.twin.content()

    @property
    def release(self) -> int:
        current = self.lake.site().ledger.current_release()
        return current.release if current else 0


def process_of(wanted: str, below: int, within: float = 600.0) -> int:
    """The first process whose command line holds a text and that descends from another, as soon as there is one."""
    latest = time.monotonic() + within
    while True:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and wanted in _command_of(entry) and below in _line_of(int(entry.name)):
                return int(entry.name)
        assert time.monotonic() < latest, f"no process of {wanted!r}"
        time.sleep(0.05)


def parent_of(process: int) -> int:
    """The process that started another; 0: it has ended."""
    with suppress(OSError):
        return int((Path("/proc") / str(process) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return 0


def _command_of(entry: Path) -> str:
    with suppress(OSError):
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def _line_of(process: int) -> list[int]:
    """A process and those that it descends from."""
    line = [process]
    while line[-1] > 1:
        line.append(parent_of(line[-1]))
    return line


def imported_dags() -> subprocess.CompletedProcess[str]:
    """Read the DAG files in a process of their own and say which of our packages came along."""
    script = "import sys, dags.claims_medallion, dags.lakehouse_maintenance, dags.quarantine_replay; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
