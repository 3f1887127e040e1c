"""The real assistant of a role with a model that a script plays, and a record of everything that was proved, run and sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from medflow.lakehouse.database import connect
from medflow.settings import Settings, load_settings
from rag_backend.agents import executor, validator
from rag_backend.agents.turn import Services, Turn
from rag_backend.answer import answer_of
from rag_backend.assistant import Assistants
from rag_backend.cache.caches import Caches
from rag_backend.checkpoints import conversations
from rag_backend.engines.base import Cancellation, Query, Table
from rag_backend.engines.duckdb import DuckDBEngine
from rag_backend.graph import Graph, Work
from rag_backend.model.base import Model, ModelReply, ModelRequest
from rag_backend.model.breaker import Breaker
from rag_backend.model.budget import TokenBudget
from rag_backend.model.client import AnthropicModel
from rag_backend.model.guarded import GuardedModel
from rag_backend.model.scripted import KEY, Limits, Recorded, Rule, Script, ScriptedModel
from rag_backend.model.scripted.desk import Desk
from rag_backend.planners.claude.planner import ClaudePlanner
from rag_backend.query.typed_query import TypedQuery
from rag_backend.validator import Approved, Proof, Refused
from tests.injections.hostile_lake import plants
from tests.support.lake import Lake

TODAY = date(2026, 7, 1)
ROLES = ("business", "analyst", "engineer")
WORDS_OF_TABLE = "column 1:"  # how the call begins that words an explanation


class Playhouse(ScriptedModel):
    """The scripted server, which takes up one script after the other: a client of its own for each would cost most of the time."""

    def play(self, rules: Sequence[Rule]) -> None:
        """Forget what was played and asked."""
        self._desk = Desk(Script(rules=tuple(rules)), Limits(), KEY)
        with self._lock:
            self._requests.clear()


class Speaker:
    """The real client within its budget, with a new breaker for each case."""

    def __init__(self, client: Model, budget: TokenBudget) -> None:
        self._client, self._budget = client, budget
        self._model: Model = client

    def begin(self) -> None:
        self._model = GuardedModel(self._client, Breaker(), self._budget, lambda: TODAY)

    def reply(self, request: ModelRequest, cancel: Cancellation) -> ModelReply:
        return self._model.reply(request, cancel)

    def close(self) -> None:
        self._client.close()


@dataclass
class Record:
    """What the validator approved and what reached the engine, of one question."""

    approved: list[Approved] = field(default_factory=list)
    ran: list[Query] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """An answer as it leaves the house, and how it came about."""

    answer: dict[str, Any]
    record: Record
    requests: tuple[Recorded, ...] = ()

    @property
    def planned(self) -> list[Recorded]:
        """The requests that asked for a reading, without the one that words an explanation."""
        return [one for one in self.requests if WORDS_OF_TABLE not in last_words(one)]


@dataclass(frozen=True)
class Role:
    """The services of a role with a model, and those of the same role, lake and policy that ask nobody."""

    services: Services
    alone: Services


@dataclass(frozen=True)
class Stage:
    """One lake, every role that may ask, one model that is played."""

    lake: Lake
    roles: dict[str, Role]
    graph: Graph
    speaker: Speaker
    server: Playhouse
    record: Record
    told: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def ask(self, role: str, question: str, rules: Sequence[Rule], user: str) -> Asked:
        """A question with the model playing the rules; `user` names the asker and the conversation."""
        self.server.play(rules)
        self.speaker.begin()
        answer = self._answered(self.roles[role].services, Turn(question, TODAY, user=user), user)
        return Asked(answer, self._taken(), self.server.requests)

    def choose(self, role: str, option: str, user: str) -> Asked:
        """An option of the question back that `user` was asked before."""
        services = self.roles[role].services
        turn = self.graph.choose(option, Work(services, Cancellation(), user), user)
        assert turn is not None
        return Asked(sent(answer_of(turn, services)), self._taken())

    def alone(self, role: str, question: str | TypedQuery) -> dict[str, Any]:
        """The answer of the same role without a model, to a question in words or a typed one; asked once, by somebody who asks nothing else."""
        parts = (question,) if isinstance(question, TypedQuery) else ()
        text = "" if parts else str(question)
        key = (role, repr(question))
        if key not in self.told:
            user = f"alone {len(self.told)}"
            self.told[key] = self._answered(self.roles[role].alone, Turn(text, TODAY, parts=parts, user=user), user)
            self._taken()
        return self.told[key]

    def _answered(self, services: Services, turn: Turn, conversation: str) -> dict[str, Any]:
        self._taken()
        ended = self.graph.ask(turn, Work(services, turn.cancel, turn.user), conversation)
        return sent(answer_of(ended, services))

    def _taken(self) -> Record:
        taken = Record(list(self.record.approved), list(self.record.ran))
        self.record.approved.clear()
        self.record.ran.clear()
        return taken


def sent(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as JSON carries it: what cannot be written as such would be an error of the service."""
    written: dict[str, Any] = json.loads(json.dumps(answer, ensure_ascii=False, allow_nan=False).encode())
    return written


def last_words(request: Recorded) -> str:
    """What the last message of a request says."""
    content = request.json["messages"][-1]["content"]
    return content if isinstance(content, str) else " ".join(str(block.get("text", block.get("content", ""))) for block in content)


@contextmanager
def staged(lake: Lake, patch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Every role on a lake, as the service opens it; plans and tables are made anew for each question."""
    record = _recording(patch)
    given = {"home": lake.home, "knowledge_base": lake.knowledge_base, "pseudonym_key": lake.settings.pseudonym_key}
    with ExitStack() as stack:
        server = stack.enter_context(Playhouse())
        settings = load_settings(**given, planner="claude", model_base_url=server.url, tokens_per_day=10**9, model_timeout_s=20.0)
        speaker = Speaker(AnthropicModel(settings), TokenBudget(connect(settings.app_db), settings.tokens_per_day))
        stack.enter_context(closing(speaker))
        roles = {role: _role(stack.enter_context(closing(Assistants(settings, role, speaker))), settings) for role in ROLES}
        graph = Graph(stack.enter_context(conversations(settings.app_db)))
        yield Stage(lake, roles, graph, speaker, server, record)


def _role(assistants: Assistants, settings: Settings) -> Role:
    """The role's services, with every hostile text of the declarations in what is retrieved, and nothing kept of what a model said."""
    services = assistants.current().services
    services = replace(services, caches=Caches.of(settings.model_copy(update={"cache": "none://"})))
    asks = services.asks
    assert isinstance(asks, ClaudePlanner)
    found, traps = asks.context, "\n".join(plants()["knowledge"].values())
    told = replace(asks, context=lambda text: f"{found(text)}\n{traps}", kept=lambda _, __, compute, ___: compute())
    return Role(replace(services, asks=told), replace(services, asks=None, wording=None))


def _recording(patch: pytest.MonkeyPatch) -> Record:
    """Everything that the validator approves for an agent, and everything that reaches the engine."""
    record = Record()
    run, validate = DuckDBEngine.run, validator.validate

    def recorded_run(self: DuckDBEngine, query: Query, cancel: Cancellation) -> Table:
        record.ran.append(query)
        return run(self, query, cancel)

    def recorded_validate(sql: str, proof: Proof) -> Approved | Refused:
        outcome = validate(sql, proof)
        if isinstance(outcome, Approved):
            record.approved.append(outcome)
        return outcome

    patch.setattr(DuckDBEngine, "run", recorded_run)
    for module in (validator, executor):
        patch.setattr(module, "validate", recorded_validate)
    return record
