"""Writes a sample's files: head, records, tail, in one folder or one a day. In: text. Out: bytes below the sample's folder.

Holds no file open, so that any number of days will do.
"""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from medflow.generate.diagnoses import SPECIALTIES
from medflow.generate.layouts import Layout
from medflow.generate.names import STATES
from medflow.generate.world import Providers, provider_name


class PayerFiles:
    """The files of one payer. With one day, the file is written even if it has no record; of many, only those with some."""

    def __init__(self, out: Path, layout: Layout, days: list[date]) -> None:
        self._layout = layout
        self._out = out
        self._paths = [_relative_path(layout, day, daily=len(days) > 1) for day in days]
        self._written = [False] * len(days)
        self._names = layout.names()
        if len(days) == 1:
            self._open(0)

    @property
    def paths(self) -> list[str]:
        """Relative path of each day's file, blank for one that was not written."""
        return [path if written else "" for path, written in zip(self._paths, self._written, strict=True)]

    def write(self, records: list[str], file: np.ndarray) -> None:
        """Append each record to its file."""
        if len(self._paths) == 1:
            self._append(0, self._layout.file_text(records))
            return
        for place in np.unique(file).tolist():
            if not self._written[place]:
                self._open(place)
            chosen = [records[row] for row in np.flatnonzero(file == place).tolist()]
            self._append(place, self._layout.file_text(chosen))

    def close(self, records: np.ndarray, billed: np.ndarray) -> None:
        """Write the tails, given records and readable billed cents of each file."""
        for place, written in enumerate(self._written):
            if written:
                self._append(place, self._layout.tail(int(records[place]), int(billed[place])))

    def _open(self, place: int) -> None:
        (self._out / self._paths[place]).parent.mkdir(parents=True, exist_ok=True)
        self._written[place] = True
        self._append(place, self._layout.head(self._names))

    def _append(self, place: int, text: str) -> None:
        with (self._out / self._paths[place]).open("ab") as stream:
            stream.write(text.encode())


def write_providers(out: Path, providers: Providers) -> None:
    """`reference/providers.csv`: npi, name, specialty, state."""
    path = out / "reference" / "providers.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    specialties = list(SPECIALTIES)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("npi", "name", "specialty", "state"))
        columns = (providers.npi, providers.name, providers.specialty, providers.state)
        for npi, name, specialty, state in zip(*(column.tolist() for column in columns), strict=True):
            writer.writerow((npi, provider_name(name), specialties[specialty], STATES[state]))


def write_truth(out: Path, truth: dict[str, Any]) -> None:
    """`truth.json`: sorted keys, one top-level key a line."""
    lines = [f"{json.dumps(key)}: {json.dumps(truth[key], sort_keys=True)}" for key in sorted(truth)]
    (out / "truth.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _relative_path(layout: Layout, day: date, daily: bool) -> str:
    name = f"{layout.payer}/{layout.payer}_claims_{day}.{layout.extension}"
    return f"{day}/{name}" if daily else name
