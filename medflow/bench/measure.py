"""Run a command and measure its whole process tree: wall and CPU seconds, peak memory. Reads /proc; elsewhere memory is unknown.

Memory is PSS (each shared page counted once): reading it walks every page, so that it is read only when the tree's RSS,
which costs nothing and is read ten times a second, reaches a new high.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_EVERY_S = 0.1
_FAMILY_EVERY = 5  # samples between two looks for new processes
_NEW_HIGH = 1.02
_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATE, _PARENT, _USER, _SYSTEM, _RSS = 0, 1, 11, 12, 21  # places in /proc/<pid>/stat after the name


@dataclass(frozen=True)
class Measured:
    """What a command came to. `cpu_seconds` and `peak_bytes` are None where there is no /proc."""

    code: int
    output: str
    said: str
    seconds: float
    cpu_seconds: float | None
    peak_bytes: int | None


def measured(command: Sequence[str]) -> Measured:
    """Run the command to its end."""
    with _scratch() as output, _scratch() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=said, stdin=subprocess.DEVNULL)
        watch = Watch(process.pid)
        try:
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        finally:
            watch.end()
        seconds = time.perf_counter() - begun
        output.seek(0)
        said.seek(0)
        return Measured(code, output.read(), said.read(), round(seconds, 2), watch.cpu_seconds, watch.peak)


def _scratch() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


class Watch:
    """Samples a process and its descendants in a thread until `end`."""

    def __init__(self, root: int) -> None:
        self._family, self._cpu = {root}, dict[int, int]()
        self._peak_rss = self._peak_pss = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        if _PROC.joinpath("self", "stat").exists():
            self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def peak(self) -> int | None:
        return self._peak_pss or None

    @property
    def cpu_seconds(self) -> float | None:
        return round(sum(self._cpu.values()) / _TICKS, 1) if self._cpu else None

    def _sample(self) -> None:
        number = 0
        while not self._over.wait(_EVERY_S):
            if number % _FAMILY_EVERY == 0:
                self._find_family()
            number += 1
            rss = self._look()
            if rss > self._peak_rss * _NEW_HIGH:
                self._peak_rss = rss
                self._peak_pss = max(self._peak_pss, sum(_pss(pid) for pid in self._family))

    def _find_family(self) -> None:
        parents = {int(path.name): fields[_PARENT] for path in _PROC.iterdir() if path.name.isdigit() and (fields := _stat(int(path.name)))}
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if int(parent) in self._family} - self._family
            self._family |= more
            grown = bool(more)

    def _look(self) -> int:
        """The family's RSS now, in bytes; notes its CPU time."""
        pages = 0
        for pid in self._family:
            if fields := _stat(pid):
                pages += int(fields[_RSS])
                self._cpu[pid] = int(fields[_USER]) + int(fields[_SYSTEM])
        return pages * _PAGE


def _stat(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return []


def _pss(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
