"""The flow's table as a LangGraph graph: what the service runs. A question asked back waits in the application's database, and one of
its options takes it up again, in another process too.

What is kept is the question, its options and the last typed query. The turn itself, with its rows, is never written down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, TypedDict

from langgraph.channels import UntrackedValue
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from rag_backend.agents.flow import AGENTS, EDGES
from rag_backend.agents.turn import Services, Turn
from rag_backend.engines.base import Cancellation
from rag_backend.query.typed_query import TypedQuery
from rag_backend.steps import Step, Tell, summary_of, untold

_CLARIFY = "clarify"


class State(TypedDict, total=False):
    """What a conversation keeps, and the turn under way."""

    question: str
    today: str
    options: list[dict[str, Any]]
    query: dict[str, Any]
    turn: Annotated[Turn, UntrackedValue]


@dataclass(frozen=True)
class Work:
    """What one run has beside its state: the services of a release and a role, who asks, the off switch, and who hears of each step."""

    services: Services
    cancel: Cancellation
    user: str = ""
    tell: Tell = untold


@dataclass(frozen=True)
class Chosen:
    """A reading that a conversation was asked back with, and its question."""

    question: str
    today: date
    query: TypedQuery


class Graph:
    """The compiled flow over one store of conversations. Safe for several threads."""

    def __init__(self, saver: BaseCheckpointSaver[str]) -> None:
        self._graph = _compiled(saver)

    def ask(self, turn: Turn, work: Work, conversation: str) -> Turn:
        """A question to its answer. If it ends in a question back, that stays open until the conversation's next question.

        Raises:
            QueryCancelled: the asker gave up.
        """
        begun: State = {"question": turn.question, "today": turn.today.isoformat(), "options": [], "turn": turn}
        return self._run(begun, work, conversation)

    def choose(self, option: str, work: Work, conversation: str) -> Turn | None:
        """The answer to an option of the conversation's question back; None where no such option is open. It may be chosen again.

        Raises:
            QueryCancelled: the asker gave up.
        """
        held = self._graph.get_state(_config(conversation))
        chosen = chosen_of(held.values, option)
        if chosen is None:
            return None
        if held.next == (_CLARIFY,):
            return self._run(Command(resume=option), work, conversation)
        return self._run({"turn": _turn_of(chosen, work)}, work, conversation)

    def _run(self, given: State | Command[Any], work: Work, conversation: str) -> Turn:
        ended = self._graph.invoke(given, _config(conversation), context=work, durability="exit")
        turn: Turn = ended["turn"]
        return turn


def chosen_of(values: Mapping[str, Any], option: str) -> Chosen | None:
    """The reading that an option of a kept state stands for."""
    for one in values.get("options", ()):
        if one["id"] == option:
            return Chosen(values["question"], date.fromisoformat(values["today"]), TypedQuery.model_validate(one["typed_query"]))
    return None


def _config(conversation: str) -> Any:
    return {"configurable": {"thread_id": conversation}}


def _turn_of(chosen: Chosen, work: Work) -> Turn:
    return Turn(chosen.question, chosen.today, work.cancel, parts=(chosen.query,), user=work.user)


def _compiled(saver: BaseCheckpointSaver[str]) -> CompiledStateGraph[State, Work, State, State]:
    graph = StateGraph(State, context_schema=Work)
    for name in AGENTS:
        graph.add_node(name, _node(name), destinations=(*AGENTS, _CLARIFY, END))
    graph.add_node(_CLARIFY, _clarify)
    graph.add_edge(_CLARIFY, "router")
    graph.add_edge(START, "router")
    return graph.compile(checkpointer=saver)


def _node(name: str) -> Callable[..., Command[str]]:
    """An agent as a node, which says where it goes next: the same function that the command line walks to, and the same edge."""

    def node(state: State, runtime: Runtime[Work]) -> Command[str]:
        turn, work, begun = state["turn"], runtime.context, time.perf_counter()
        turn.cancel.raise_if_cancelled()
        work.tell(Step(name))
        turn = AGENTS[name](turn, work.services)
        took = (time.perf_counter() - begun) * 1000
        turn = replace(turn, trace=(*turn.trace, (name, took)))
        work.tell(Step(name, took, summary_of(name, turn)))
        changed: State = {"turn": turn}
        if turn.options and not EDGES[name](turn):
            changed["options"] = [{"id": one.id, "label": one.label, "typed_query": _plain(one.query)} for one in turn.options]
        if turn.query is not None and name == "planner":
            changed["query"] = _plain(turn.query)
        return Command(update=changed, goto=EDGES[name](turn) or (_CLARIFY if turn.options else END))

    return node


def _clarify(state: State, runtime: Runtime[Work]) -> State:
    """Waits for an option. What runs again after a restart has no turn any more: it begins a new one from what was kept."""
    option = interrupt([one["id"] for one in state["options"]])
    chosen = chosen_of(state, option)
    assert chosen is not None, "only an option that is open is handed on"
    return {"turn": _turn_of(chosen, runtime.context)}


def _plain(query: TypedQuery) -> dict[str, Any]:
    return query.model_dump(mode="json")
