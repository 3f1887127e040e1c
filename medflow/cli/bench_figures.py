"""What a benchmark keeps of the assistant's parts: their figures, each with the questions and the sample that it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medflow.bench.answers import Answers
from medflow.bench.mix import MixAnswers
from medflow.bench.model import ModelAnswers
from medflow.cli.bench_run import Measured
from medflow.cli.figures import Figures, keep_figures
from medflow.digests import sha256_of
from medflow.measurements import MeasuredOn, version_of_declarations
from medflow.specs.examples import load_examples
from medflow.specs.question_mix import MIX_FILE
from medflow.targets import APPROVED

_Kept = tuple[Figures, MeasuredOn]


def keep_benchmark(app_db: str, measured: Measured, of: Circumstances) -> None:
    """Keep the figures of every part that is whole; the newest of several sizes is the last."""
    found = [
        *(kept for one in measured.answers for kept in of.of_answers(one)),
        *(kept for one in measured.mixes for kept in of.of_mix(one)),
        *(kept for one in measured.models for kept in of.of_model(one)),
    ]
    for figures, on in found:
        keep_figures(app_db, figures, on)


@dataclass(frozen=True)
class Circumstances:
    """What the parts of one benchmark have in common; `bank`: asked instead of the approved questions."""

    knowledge_base: Path
    seed: int
    load: float
    bank: Path | None

    def of_answers(self, answers: Answers) -> Iterator[_Kept]:
        """Questions of the running service; those that were asked again count where a table was kept for any."""
        figures: Figures = {
            "answers.p50": (answers.p50_ms, "ms"),
            "answers.p95": (answers.p95_ms, "ms"),
            "answers.cached_p50": (answers.kept_p50_ms if answers.kept else None, "ms"),
            "answers.cached_p95": (answers.kept_p95_ms if answers.kept else None, "ms"),
        }
        yield figures, self._on(answers.claims, answers.questions, self.bank)

    def of_mix(self, answers: MixAnswers) -> Iterator[_Kept]:
        """A day of which every question was answered."""
        if answers.whole:
            day = answers.all
            figures: Figures = {"mix.hit_rate": (day.hit_rate, "share"), "mix.p50": (day.p50_ms, "ms"), "mix.p95": (day.p95_ms, "ms")}
            yield figures, self._on(answers.claims, day.asked, self.knowledge_base / MIX_FILE)

    def of_model(self, answers: ModelAnswers) -> Iterator[_Kept]:
        """Answers that a model planned."""
        if answers.whole:
            figures: Figures = {"model.own_p50": (answers.own_p50_ms, "ms"), "model.own_p95": (answers.own_p95_ms, "ms")}
            yield figures, self._on(answers.claims, answers.read, None, model_seconds=answers.seconds)

    def _on(self, claims: int, askings: int, file: Path | None, *, model_seconds: float | None = None) -> MeasuredOn:
        return MeasuredOn(
            knowledge_base=version_of_declarations(self.knowledge_base),
            asked=file.name if file else APPROVED,
            asked_sha256=sha256_of(file) if file else load_examples(self.knowledge_base).version,
            askings=askings,
            planner="grammar" if model_seconds is None else "claude",
            load=self.load,
            claims=claims,
            seed=self.seed,
            model_seconds=model_seconds,
        )
