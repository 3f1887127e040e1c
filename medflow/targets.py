"""What the product promises of itself, and whether the newest figures keep it. Nothing is measured here: each target names its command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Column, Float, MetaData, Table, func, inspect, select

from medflow.measurements import MeasuredOn, Measurement, exists, newest_first, opened
from medflow.specs.question_mix import MIX_FILE

State = Literal["met", "missed", "not measured yet"]
BANK = "questions.jsonl"
APPROVED = "approved questions"
MODEL_SECONDS = 4.0
_LEAST_CLAIMS, _LEAST_ASKINGS = 10_000, 20
_FEEDBACK, _RATING = "medflow_feedback", "rating"


@dataclass(frozen=True)
class Target:
    """An aim for a measured figure: at least `bound`, or below it. It is judged by figures of these questions alone."""

    name: str
    figure: str
    bound: float
    unit: str
    command: str
    asked: str
    at_least: bool = False
    least_claims: int = _LEAST_CLAIMS
    model_seconds: float | None = None

    @property
    def aim(self) -> str:
        """The aim in words."""
        bound = shown(self.bound, self.unit)
        return bound if self.unit == "share" and self.bound == 1 else f"{'at least' if self.at_least else 'below'} {bound}"

    def is_met_by(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value < self.bound

    def judges(self, one: Measurement) -> bool:
        """Whether a figure is one that the aim is for; a small sample tells nothing."""
        on = one.on
        large = on.claims is None or on.claims >= self.least_claims
        same = (one.name, on.asked, on.model_seconds) == (self.figure, self.asked, self.model_seconds)
        return same and large and on.askings >= _LEAST_ASKINGS


@dataclass(frozen=True)
class Judged:
    """A target beside its newest figure, if there is one."""

    name: str
    aim: str
    state: State
    value: float | None
    figure: str
    at: datetime | None
    on: MeasuredOn | None
    command: str


_EVAL = f"medflow eval tests/data/{BANK}"
_BENCH = "medflow bench --only "
TARGETS = (
    Target("right answers, bank", "bank.precision", 1.0, "share", _EVAL, BANK, at_least=True),
    Target("coverage, bank", "bank.coverage", 0.9, "share", _EVAL, BANK, at_least=True),
    Target("uncached answer, p95", "answers.p95", 300, "ms", f"{_BENCH}q", APPROVED),
    Target("cached answer, p95", "answers.cached_p95", 15, "ms", f"{_BENCH}q", APPROVED),
    Target("own share, model of 4 s, p95", "model.own_p95", 1000, "ms", f"{_BENCH}model", APPROVED, model_seconds=MODEL_SECONDS),
    Target("cache hit rate, question mix", "mix.hit_rate", 0.4, "share", f"{_BENCH}mix", MIX_FILE, at_least=True),
)
_LEAST_RATING = 4.5


def judged(app_db: str) -> list[Judged]:
    """Every target, the mean rating last.

    Raises:
        MedflowError: the application's database cannot be read.
    """
    measured = newest_first(app_db)
    return [*(_beside(target, measured) for target in TARGETS), _rating(app_db)]


def shown(value: float, unit: str) -> str:
    """A value as people read it."""
    if unit == "share":
        return f"{value * 100:.2f}".rstrip("0").rstrip(".") + " %"
    return f"{value:,.1f}".removesuffix(".0") + " ms"


def _beside(target: Target, newest: Iterable[Measurement]) -> Judged:
    found = next((one for one in newest if target.judges(one)), None)
    if found is None:
        return Judged(target.name, target.aim, "not measured yet", None, "", None, None, target.command)
    state: State = "met" if target.is_met_by(found.value) else "missed"
    return Judged(target.name, target.aim, state, found.value, shown(found.value, found.unit), found.at, found.on, target.command)


def _rating(app_db: str) -> Judged:
    """What askers gave, where somebody collects it."""
    mean, count = _mean_rating(app_db)
    state: State = "not measured yet" if mean is None else "met" if mean >= _LEAST_RATING else "missed"
    figure = "none yet" if mean is None else f"{mean:.1f} of 5 ({count:,})"
    return Judged("mean rating", f"at least {_LEAST_RATING} of 5", state, mean, figure, None, None, "ratings of answers by those who asked")


def _mean_rating(app_db: str) -> tuple[float | None, int]:
    if not exists(app_db):
        return None, 0
    with opened(app_db, "read") as engine:
        found = inspect(engine)
        if not found.has_table(_FEEDBACK) or _RATING not in {column["name"] for column in found.get_columns(_FEEDBACK)}:
            return None, 0
        rating = Table(_FEEDBACK, MetaData(), Column(_RATING, Float)).c[_RATING]
        with engine.connect() as connection:
            mean, count = connection.execute(select(func.avg(rating), func.count(rating))).one()
            return (None if mean is None else float(mean)), count
