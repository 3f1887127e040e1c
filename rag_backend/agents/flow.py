"""The flow: which agent follows which. One table; the command line walks it, and the service compiles it to a graph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from rag_backend.agents.analyzer import analyzer
from rag_backend.agents.executor import executor
from rag_backend.agents.explainer import explainer
from rag_backend.agents.generator import generator
from rag_backend.agents.parts import for_each_part
from rag_backend.agents.planner import planner
from rag_backend.agents.retrieval import retrieval
from rag_backend.agents.router import router
from rag_backend.agents.suggester import suggester
from rag_backend.agents.turn import Services, Turn
from rag_backend.agents.validator import validator

Agent = Callable[[Turn, Services], Turn]
END = ""

AGENTS: Mapping[str, Agent] = {
    "router": router,
    "planner": planner,
    "retrieval": for_each_part(retrieval),
    "generator": for_each_part(generator),
    "validator": for_each_part(validator),
    "executor": for_each_part(executor),
    "analyzer": for_each_part(analyzer),
    "explainer": for_each_part(explainer),
    "suggester": suggester,
}


def _after_router(turn: Turn) -> str:
    if turn.kind == "sql":
        return "validator"
    return {"data": "planner", "definition": "retrieval", "greeting": "explainer", "unanswerable": "explainer"}[turn.route]


def _after_retrieval(turn: Turn) -> str:
    if turn.route != "data":
        return "explainer"
    return "executor" if all(part.kept for part in (turn, *turn.others)) else "generator"


def _unless_refused(following: str) -> Callable[[Turn], str]:
    return lambda turn: "explainer" if turn.refusal else following


def _always(following: str) -> Callable[[Turn], str]:
    return lambda _: following


EDGES: Mapping[str, Callable[[Turn], str]] = {
    "router": _after_router,
    "planner": _always("retrieval"),
    "retrieval": _after_retrieval,
    "generator": _unless_refused("validator"),
    "validator": _unless_refused("executor"),
    "executor": _unless_refused("analyzer"),
    "analyzer": _always("explainer"),
    "explainer": lambda turn: "suggester" if turn.table and turn.kind == "data" else END,
    "suggester": _always(END),
}


def walk(turn: Turn, services: Services, begin: str = "router") -> Turn:
    """From the question, or a later agent, to the end, agent after agent; `trace` keeps each one's milliseconds.

    Raises:
        QueryCancelled: the asker gave up, between agents or within one.
    """
    name = begin
    while name:
        turn.cancel.raise_if_cancelled()
        begun = time.perf_counter()
        turn = AGENTS[name](turn, services)
        turn = replace(turn, trace=(*turn.trace, (name, (time.perf_counter() - begun) * 1000)))
        name = EDGES[name](turn)
    return turn
