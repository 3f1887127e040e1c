"""The parts of `medflow bench` one after the other, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from medflow.bench import mix, model, report
from medflow.bench.answers import Answers, questions_of, run_answers
from medflow.bench.mix import MixAnswers, run_mix
from medflow.bench.model import ModelAnswers, ScriptedEndpoint, run_model
from medflow.bench.part import Part
from medflow.bench.plan import Order, Result, run_bench
from medflow.bench.report import Machine
from medflow.cli.console import print_json, print_table
from medflow.specs.question_mix import QuestionMix, load_question_mix

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What the assistant is asked in each of its parts; nothing = the part is left out. `model_seconds`: how long the model takes."""

    questions: Sequence[str] = ()
    mix: QuestionMix | None = None
    approved: Sequence[str] = ()
    model_seconds: float = 0.0

    @classmethod
    def of(cls, ways: frozenset[str], knowledge_base: Path, bank: Path | None, model_seconds: float) -> Asked:
        """Raises UsageError, DeclarationError: what is to be asked cannot be read."""
        return cls(
            questions_of(bank, knowledge_base) if "q" in ways else (),
            load_question_mix(knowledge_base) if "mix" in ways else None,
            questions_of(None, knowledge_base) if "model" in ways else (),
            model_seconds,
        )


@dataclass
class Measured:
    """Everything that one call measured, size by size."""

    results: list[Result] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)
    mixes: list[MixAnswers] = field(default_factory=list)
    models: list[ModelAnswers] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        asked = [*(one.whole for one in self.mixes), *(one.whole for one in self.models)]
        return any(one.failed for one in self.results) or not all(asked)

    @property
    def parts(self) -> list[Part]:
        """Those that know how they are shown."""
        return [*map(mix.part_of, self.mixes), *map(model.part_of, self.models)]

    def add(self, order: Order, asked: Asked, tell: Tell) -> None:
        """Measure one size.

        Raises:
            MedflowError: the input or a lake cannot be made, a service does not start, or the command fails.
        """
        if order.ways:
            self.results.append(run_bench(order, tell))
        if asked.questions:
            self.answers.append(run_answers(order, asked.questions, tell))
        if asked.mix:
            self.mixes.append(run_mix(order, asked.mix, tell))
        if asked.approved:
            with _scripted(order.knowledge_base, asked.model_seconds) as endpoint:
                self.models.append(run_model(order, asked.approved, endpoint, tell))

    def markdown(self, machine: Machine, seed: int) -> str:
        """A page's section."""
        return (
            "\n\n".join((report.markdown(self.results, self.answers, machine, seed).strip(), *(part.markdown for part in self.parts)))
            + "\n"
        )

    def show(self, machine: Machine, seed: int) -> None:
        """Print every table."""
        click.echo(machine.told(seed))
        for result in self.results:
            click.echo()
            print_table(report.title(result), report.COLUMNS, report.table(result), right=range(1, len(report.COLUMNS)))
            click.echo("\n".join(report.notes(result)))
            click.echo("rows: " + ", ".join(f"{name} {count:,}" for name, count in result.rows.items()))
        for asked in self.answers:
            click.echo()
            print_table(report.asked_title(asked), report.ASKED, report.asked_table(asked), right=range(1, len(report.ASKED)))
            click.echo("\n".join(report.asked_notes(asked)))
        for part in self.parts:
            click.echo()
            print_table(part.title, part.columns, part.rows, right=range(1, len(part.columns)))
            click.echo("\n".join(part.notes), nl=bool(part.notes))

    def show_json(self, machine: Machine, seed: int) -> None:
        """Print everything, for programs."""
        parts: dict[str, Any] = {"mix": [asdict(one) for one in self.mixes], "model": [asdict(one) for one in self.models]}
        print_json({**report.as_json(self.results, self.answers, machine, seed), **parts})


@contextmanager
def _scripted(knowledge_base: Path, seconds: float) -> Iterator[ScriptedEndpoint]:
    """A model that reads every approved question right, and takes its time."""
    from rag_backend.model.scripted import ScriptedModel
    from rag_backend.planners.claude.approved import approved_replies

    with ScriptedModel(approved_replies(knowledge_base, seconds)) as server:
        yield ScriptedEndpoint(server.url, server.key, seconds)
