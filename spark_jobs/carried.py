"""What a batch carries from job to job when each is a process of its own: a run's findings as JSON, and back into a run.

Counts, names of files and rules, months and snapshots; never a value of a file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from spark_jobs.landing import Landing
from spark_jobs.run import Batch, PayerFigures, QualityRow, Run, Touched


@dataclass(frozen=True)
class Origin:
    """What a batch began from: the current release (None before the first) and the snapshot of every table's main."""

    release: int | None
    mains: dict[str, int]


@dataclass(frozen=True)
class Carried:
    """A run between two jobs: where it began, under which declarations, and what its steps have found so far."""

    origin: Origin
    declarations: str
    batch: Batch
    run_date: date
    started_at: datetime
    built_with: str
    due_gold: tuple[str, ...]
    fingerprints: dict[str, str]
    touched: Touched
    figures: dict[str, PayerFigures]
    quality: list[QualityRow]
    rows: dict[str, int]

    @classmethod
    def from_run(cls, run: Run, origin: Origin) -> Carried:
        """What `run` has found until now."""
        return cls(
            origin=origin,
            declarations=run.knowledge_base.hash,
            batch=run.batch,
            run_date=run.run_date,
            started_at=run.started_at,
            built_with=run.built_with,
            due_gold=run.due_gold,
            fingerprints=dict(run.fingerprints),
            touched=run.touched,
            figures=run.figures,
            quality=run.quality,
            rows=run.rows,
        )

    def into_run(self, run: Run) -> None:
        """Let a fresh run of the same batch go on from here; its engine holds nothing yet."""
        run.run_date, run.started_at, run.holds_lines = self.run_date, self.started_at, False
        run.built_with = run.engine.name if self.built_with == run.verifier.name else self.built_with
        run.due_gold, run.fingerprints, run.touched = self.due_gold, dict(self.fingerprints), replace(self.touched)
        run.figures, run.quality, run.rows = dict(self.figures), list(self.quality), dict(self.rows)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; files by their names below the landing folder, wherever that lies."""
        content: dict[str, Any] = _shape().dump_python(self, mode="json", exclude={"batch": {"files": {"__all__": {"path"}}}})
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any], landing: Landing) -> Carried:
        """The inverse of `to_json`, with the files in this landing folder."""
        batch = content["batch"]
        files = [{**file, "path": landing.at(file["name"])} for file in batch["files"]]
        return _shape().validate_python({**content, "batch": {**batch, "files": files}})


@cache
def _shape() -> TypeAdapter[Carried]:
    return TypeAdapter(Carried)
