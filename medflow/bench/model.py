"""Our own share of an answer that a model plans: the asker's time less the seconds that the model takes over its one reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medflow.bench.lake import lake_to_ask
from medflow.bench.part import Part
from medflow.bench.plan import Order
from medflow.bench.service import Reply, cuts, running

COLUMNS = ("time", "p50, ms", "p95, ms", "longest, ms")
_FALLBACK = "planner_fallback"
_PATIENCE_S = 30
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class ScriptedEndpoint:
    """Where a model is played, the key that it takes, and how long it takes over a reply."""

    url: str
    key: str
    seconds: float


@dataclass(frozen=True)
class ModelAnswers:
    """Answers of one size. `read`: questions that the model planned and that were answered, on which the times are; `others`: why not."""

    claims: int
    seconds: float
    asked: int
    read: int
    own_p50_ms: float
    own_p95_ms: float
    own_longest_ms: float
    others: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether there is anything that the times are of."""
        return self.read > 0


def run_model(order: Order, questions: Sequence[str], endpoint: ScriptedEndpoint, report: Callable[[str], None]) -> ModelAnswers:
    """Ask each question once, one after the other.

    Raises:
        MedflowError: the lake cannot be built, or the service does not start.
    """
    home = lake_to_ask(order, report)
    report(f"asking {len(questions)} questions beside a model of {endpoint.seconds:g} s")
    with running(home, order.knowledge_base, _settings(endpoint)) as service:
        replies = [service.ask(question) for question in questions]
    read = [reply for reply in replies if _is_read(reply)]
    own = [reply.milliseconds - endpoint.seconds * 1000 for reply in read]
    p50, p95 = cuts(own)
    others = tuple(_told(reply) for reply in replies if not _is_read(reply))
    longest = round(max(own, default=0.0), 1)
    return ModelAnswers(order.claims, endpoint.seconds, len(replies), len(read), p50, p95, longest, others)


def _settings(endpoint: ScriptedEndpoint) -> dict[str, str]:
    """One call an answer: no second model words it, neither time nor tokens end it, and no answer is found instead."""
    return {
        "MEDFLOW_PLANNER": "claude",
        "MEDFLOW_CACHE": "none://",  # what was answered ahead would be in it
        "MEDFLOW_MODEL_LIGHT": "",
        "MEDFLOW_MODEL_BASE_URL": endpoint.url,
        "MEDFLOW_MODEL_TIMEOUT_S": str(endpoint.seconds + _PATIENCE_S),
        "MEDFLOW_TOKENS_PER_DAY": str(_NO_LIMIT),
        "ANTHROPIC_API_KEY": endpoint.key,
    }


def _is_read(reply: Reply) -> bool:
    return reply.status == "answered" and reply.planner == "claude" and not reply.cached


def _told(reply: Reply) -> str:
    fallback = next((notice for notice in reply.notices if notice.startswith(_FALLBACK)), "")
    read = "from the cache" if reply.cached else f"{reply.status}, read by {reply.planner or 'nobody'}"
    return f"{reply.question} ({fallback or read})"


def part_of(answers: ModelAnswers) -> Part:
    """Ours, and all of it; then the questions that the times are not of."""
    asked = f"{answers.claims:,} claims, {answers.asked} approved questions, {answers.read} planned by a model"
    own = (answers.own_p50_ms, answers.own_p95_ms, answers.own_longest_ms)
    whole = tuple(value + answers.seconds * 1000 for value in own)
    rows = [(name, *(f"{value:,.1f}" for value in values)) for name, values in (("our own share", own), ("whole answer", whole))]
    title = f"{asked} that takes {answers.seconds:g} s; nothing kept"
    return Part(title, COLUMNS, tuple(rows), tuple(f"left out: {other}" for other in answers.others))
