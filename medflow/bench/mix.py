"""The published question mix, asked of a service that has kept nothing: how often tables came from the cache, how long answers took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medflow.bench.draw import Asking, drawn
from medflow.bench.lake import lake_to_ask
from medflow.bench.part import Part
from medflow.bench.plan import Order
from medflow.bench.service import Reply, cuts, running
from medflow.specs.question_mix import QuestionMix

COLUMNS = ("kind", "asked", "texts", "from the cache", "hit rate", "p50, ms", "p95, ms")
_SETTINGS = {"MEDFLOW_PLANNER": "grammar"}


@dataclass(frozen=True)
class Share:
    """What became of some of the askings. `texts`: how many different ones they are; `hits`: answers whose table was kept."""

    name: str
    asked: int
    texts: int
    hits: int
    hit_rate: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class MixAnswers:
    """A day of one size. `shares`: its kinds, then what was found, computed, and all; `unanswered`: texts that were not answered."""

    claims: int
    shares: tuple[Share, ...]
    unanswered: tuple[str, ...]

    @property
    def all(self) -> Share:
        return self.shares[-1]

    @property
    def whole(self) -> bool:
        """Whether every text was answered."""
        return not self.unanswered


def run_mix(order: Order, mix: QuestionMix, report: Callable[[str], None]) -> MixAnswers:
    """Ask a day's questions one after the other.

    Raises:
        MedflowError: the lake cannot be built, or the service does not start.
    """
    home = lake_to_ask(order, report)
    askings = drawn(mix)
    report(f"asking {len(askings)} questions of the mix")
    with running(home, order.knowledge_base, _SETTINGS) as service:
        replies = [service.ask(asking.text) for asking in askings]
    unanswered = dict.fromkeys(reply.question for reply in replies if reply.status != "answered")
    return MixAnswers(order.claims, _shares(askings, replies), tuple(unanswered))


def _shares(askings: Sequence[Asking], replies: Sequence[Reply]) -> tuple[Share, ...]:
    kinds = [
        _share(kind, [reply for asking, reply in zip(askings, replies, strict=True) if asking.kind == kind])
        for kind in Counter(asking.kind for asking in askings)
    ]
    found, computed = ([reply for reply in replies if reply.cached is cached] for cached in (True, False))
    return (*kinds, _share("from the cache", found), _share("computed", computed), _share("all", replies))


def _share(name: str, replies: Sequence[Reply]) -> Share:
    p50, p95 = cuts(reply.milliseconds for reply in replies)
    texts, hits = len({reply.question for reply in replies}), sum(reply.cached for reply in replies)
    return Share(name, len(replies), texts, hits, round(hits / len(replies), 4) if replies else 0.0, p50, p95)


def part_of(answers: MixAnswers) -> Part:
    """One row a share; a text that was not answered is told: then the figures are of no whole day."""
    day = answers.all
    asked = f"{answers.claims:,} claims, {day.asked} askings of the question mix, {day.texts} texts"
    title = f"{asked}; nothing kept before but the approved questions"
    rows = [
        (s.name, str(s.asked), str(s.texts), str(s.hits), f"{s.hit_rate:.1%}", f"{s.p50_ms:,.1f}", f"{s.p95_ms:,.1f}")
        for s in answers.shares
    ]
    return Part(title, COLUMNS, tuple(rows), tuple(f"NOT ANSWERED: {text}" for text in answers.unanswered))
