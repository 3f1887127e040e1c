"""Each answer says how its rows are drawn: a mark and names of its own columns, or that a table says more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest

from rag_backend.assistant import Assistant, opened
from tests.api.server import TODAY, Server
from tests.support.lake import Lake

_COUNT = "claim_count"


@contextmanager
def _opened(lake: Lake, role: str) -> Iterator[Assistant]:
    with opened(lake.settings, role) as assistant:
        yield assistant


@pytest.fixture(scope="module")
def analyst(small: Lake) -> Iterator[Assistant]:
    with _opened(small, "analyst") as assistant:
        yield assistant


def asked(assistant: Assistant, question: str) -> dict[str, Any]:
    answer = assistant.ask(question, date.fromisoformat(TODAY))
    assert answer["status"] == "answered", answer
    return answer


@pytest.mark.parametrize(
    ("question", "mark", "x", "y", "color"),
    [
        ("claims by month", "line", "claim_service_date", [_COUNT], ""),
        ("claims by payer", "bar", "payer", [_COUNT], ""),
        ("claims by payer by month", "line", "claim_service_date", [_COUNT], "payer"),
        ("claims by month by payer", "line", "claim_service_date", [_COUNT], "payer"),
        ("claims by specialty and payer", "bar", "specialty", [_COUNT], "payer"),
        ("denial rate by specialty", "bar", "specialty", ["denial_rate"], ""),
        ("billed amount and paid amount by payer", "bar", "payer", ["billed_amount", "paid_amount"], ""),
        ("share of claims by payer", "bar", "payer", [f"{_COUNT}_share_of_total"], ""),
        ("denial rate by payer in 2025 compared to 2026", "bar", "payer", ["before", "after"], ""),
        ("top 5 providers by paid amount", "bar", "provider", ["paid_amount"], ""),
        ("claims by weekday", "bar", "claim_service_date", [_COUNT], ""),
        ("how many claims", "table", "", [], ""),
        ("claims by diagnosis", "table", "", [], ""),
        ("list providers", "table", "", [], ""),
    ],
)
def test_what_is_drawn(question: str, mark: str, x: str, y: list[str], color: str, analyst: Assistant) -> None:
    """By what was asked; every name is a column's."""
    answer = asked(analyst, question)
    chart = answer["chart"]
    assert (chart["mark"], chart["x"], chart["y"], chart["color"]) == (mark, x, y, color)
    names = {column["name"] for column in answer["columns"]}
    assert {name for name in (chart["x"], *chart["y"], chart["color"]) if name} <= names
    assert chart["title"] or mark == "table"


def test_no_table_no_chart(analyst: Assistant) -> None:
    """A definition, a greeting, a refusal and a question back have none; typed SQL is a table."""
    for question in ("what is a denial rate", "hello", "will denials rise next year?", "what is the cost by payer"):
        assert analyst.ask(question, date.fromisoformat(TODAY))["chart"] is None
    assert analyst.sql("SELECT 1 AS one", date.fromisoformat(TODAY))["chart"]["mark"] == "table"


def test_each_part_has_its_own(analyst: Assistant) -> None:
    answer = asked(analyst, "How many claims are there by payer, and how many members by sex?")
    assert [part["chart"]["x"] for part in answer["parts"]] == ["payer", "sex"]


def test_too_many_masked_numbers_are_a_table(small: Lake) -> None:
    """A picture with holes would mislead; with few it is drawn, and the cells are told."""
    with _opened(small, "business") as business:
        few, many = asked(business, "claims by payer"), asked(business, "denied claims by denial code by month")
        masked = {row for row, _, _ in many["suppressed_cells"]}
        assert len(masked) > many["row_count"] / 4
        assert many["chart"]["mark"] == "table"
        assert few["chart"]["mark"] == "bar"


def test_it_is_sent(server: Server) -> None:
    assert server.ask("claims by month")["chart"]["mark"] == "line"
