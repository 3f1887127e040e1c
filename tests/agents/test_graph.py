"""The flow as a graph: the answers of the command line's walk, questions back that outlive their process, and nothing kept but plain values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from medflow.errors import CatalogError, UsageError
from rag_backend.agents.flow import AGENTS, EDGES, walk
from rag_backend.agents.turn import Notice, Services, Turn
from rag_backend.answer import answer_of
from rag_backend.assistant import opened
from rag_backend.checkpoints import conversations
from rag_backend.engines.base import Cancellation, QueryCancelled
from rag_backend.graph import Graph, Work
from tests.support.lake import Lake

_TODAY = date(2026, 7, 1)
_VAGUE = "what is the cost by payer"
_QUESTIONS = [
    "claims by payer",
    "Which payer has the highest denial rate?",
    "what is a denial rate",
    "hello",
    "what is our premium revenue",
    "claims from Cigna",
    _VAGUE,
    "How many claims by payer, and what is the denial rate by specialty?",
]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    lake = Lake(tmp_path_factory.mktemp("graph") / "lake")
    lake.generate(2_000)
    lake.run()
    with opened(lake.settings, "analyst") as assistant:
        yield assistant.services


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'app.db'}"


def asked(question: str, cancel: Cancellation | None = None) -> Turn:
    return Turn(question, _TODAY, cancel or Cancellation())


@pytest.mark.parametrize("question", _QUESTIONS)
def test_graph_and_walk_give_one_answer(services: Services, tmp_path: Path, question: str) -> None:
    """Only the milliseconds differ."""
    with conversations(url(tmp_path)) as kept:
        turn = Graph(kept).ask(asked(question), Work(services, Cancellation()), "one")
    found, expected = answer_of(turn, services), answer_of(walk(asked(question), services), services)
    for answer in (found, expected):
        del answer["timings"], answer["cached"]
    assert found == expected
    assert {name for name, _ in turn.trace} <= set(AGENTS)
    assert set(EDGES) == set(AGENTS)


def test_an_option_is_taken_up_elsewhere(services: Services, tmp_path: Path) -> None:
    """By a graph of another process, more than once, under the question that was asked."""
    with conversations(url(tmp_path)) as kept:
        options = Graph(kept).ask(asked(_VAGUE), Work(services, Cancellation()), "one").options
    for _ in range(2):
        with conversations(url(tmp_path)) as kept:
            for option in options:
                turn = Graph(kept).choose(option.id, Work(services, Cancellation()), "one")
                assert turn is not None and turn.table is not None
                assert (turn.question, turn.query, turn.today) == (_VAGUE, option.query, _TODAY)


def test_only_an_open_option_can_be_chosen(services: Services, tmp_path: Path) -> None:
    """None of another conversation, none after another question, none that was never offered."""
    work = Work(services, Cancellation())
    with conversations(url(tmp_path)) as kept:
        graph = Graph(kept)
        graph.ask(asked(_VAGUE), work, "one")
        assert graph.choose("1", work, "two") is None
        assert graph.choose("99", work, "one") is None
        graph.ask(asked("claims by payer"), work, "one")
        assert graph.choose("1", work, "one") is None


def test_rows_are_never_written_down(services: Services, tmp_path: Path) -> None:
    """The question and the options are; no number of the table, and no object."""
    with conversations(url(tmp_path)) as kept:
        graph, work = Graph(kept), Work(services, Cancellation())
        turn = graph.ask(asked("paid amount by payer"), work, "one")
        graph.ask(asked(_VAGUE), work, "two")
        graph.choose("1", work, "two")
    assert turn.table is not None
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"paid amount by payer" in content
    assert not [amount for _, amount in turn.table.rows if str(amount).encode() in content]
    assert b"rag_backend" not in content


def test_what_another_wrote_becomes_no_object(services: Services, tmp_path: Path) -> None:
    """A checkpoint that names a class of ours is read as data: nothing is built."""
    with conversations(url(tmp_path)) as kept:
        Graph(kept).ask(asked(_VAGUE), Work(services, Cancellation()), "one")
    with sqlite3.connect(tmp_path / "app.db") as database:
        (content,) = database.execute("SELECT checkpoint FROM checkpoints").fetchone()
        at = content.index(_VAGUE.encode())
        hostile = JsonPlusSerializer().dumps_typed(Notice("of another", "an object"))[1]
        head = content[: at - 2] if content[at - 2] == 0xD9 else content[: at - 1]
        database.execute("UPDATE checkpoints SET checkpoint = ?", (head + hostile + content[at + len(_VAGUE) :],))
    with conversations(url(tmp_path)) as kept:
        held = kept.get({"configurable": {"thread_id": "one"}})
    assert held is not None
    assert not isinstance(held["channel_values"]["question"], Notice)


def test_cancelled_between_two_agents(services: Services, tmp_path: Path) -> None:
    """The switch is looked at before every agent."""
    cancel = Cancellation()
    cancel.cancel()
    with conversations(url(tmp_path)) as kept, pytest.raises(QueryCancelled):
        Graph(kept).ask(asked("claims by payer", cancel), Work(services, cancel), "one")


@pytest.mark.parametrize("bad", ["mysql://host/name", "not a url"])
def test_a_database_that_cannot_be(bad: str) -> None:
    with pytest.raises(UsageError, match="MEDFLOW_APP_DB"), conversations(bad):
        pass


def test_a_damaged_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"no database" * 100)
    with pytest.raises(CatalogError, match=r"app\.db .*name another file"), conversations(url(tmp_path)):
        pass
