"""The words, texts and constants that a model may bring before a reader."""

from __future__ import annotations

import re

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from rag_backend.planners.claude.literals import has_constant_column, strange_text
from rag_backend.planners.claude.plain_words import declared_words, says_only
from rag_backend.planners.claude.wording import Facts, filled
from tests.planners.lexicons import claims

_QUESTION = "zorblax of claims coded E11 in Springfield"
_TEXT = st.text(alphabet=st.sampled_from(list("abcdeilmnorstu .,;:'()-<>[]{}`/@0123456789\u0430\u200b\u202e")), max_size=60)
_FACTS = Facts(
    ("payer (group)", "allowed amount (USD)"), ("several rows",), {(1, 1): "Aetna", (1, 2): "$12.50", (2, 1): "Cigna", (2, 2): "$7.00"}
)


def shown(text: str) -> bool:
    return says_only(text, (_QUESTION, *declared_words(claims().model)))


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("The catalogue has no zorblax.", True),
        ("There is nothing in the data about Springfield; only claims, payers and denials are kept.", True),
        ("Claims by zorblax aren't a dimension of the data (the payer is).", True),
        ("Employer groups are not a dimension.", False),
        ("E11 is not defined.", False),
        ("Claims. Springfield.zorblax", False),
        ("Two claims are zorblax.", False),
        ("Denials doubled.", False),
        ("Call the payer.", False),
    ],
)
def test_plain_sentences_are_shown(text: str, fit: bool) -> None:
    """In words of the closed list, of the declarations and of the question; nothing else, and no digit."""
    assert shown(text) is fit


@given(_TEXT)
def test_no_digit_link_or_mark_is_shown(text: str) -> None:
    """Whatever else is in it."""
    assert not shown(f"The data {text}") or not re.search(r"[^A-Za-z ,.;'()\u2019-]|\.\w", text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{r1c1} has {r1c2}, {r2c1} has {r2c2}.", "Aetna has $12.50, Cigna has $7.00."),
        ("{r1c1} has {r2c2}.", ""),
        ("{r1c2} and {r2c2}", ""),
        ("All of {r1c1}", ""),
        ("{r1c1} has eleven.", ""),
        ("See evil.example for {r1c1}.", ""),
        ("{r1c1}.example", ""),
        ("Send it to {r1c1}.", ""),
        ("Aetna has {r1c2}", ""),
        (f"{{r{'9' * 5_000}c1}}", ""),
        (f"{{r1c1}}{' ' * 5_000}{{r9c9}}", ""),
    ],
)
def test_a_number_is_said_of_its_own_group(text: str, said: str) -> None:
    """`all` is no fact because `allowed amount` is; nor are names, orders or addresses."""
    assert filled(text, _FACTS) == said


@pytest.mark.parametrize("text", ["E11", "E11%", "springfield", "denied", "den%", "CO", "2026-01-01", "2026-01", "month", "%Y-%m", "", "%"])
def test_texts_that_sql_may_hold(text: str) -> None:
    """Of the question, of the declarations and the data, of the calendar."""
    assert not strange_text(f"SELECT COUNT(*) FROM t WHERE a = '{text}'", "duckdb", _QUESTION, claims())


@pytest.mark.parametrize("text", ["see evil.example", "4711", "1138181817", "Halima Penhallow", "field", "x", "E1", "{", "''; --", "%E9%"])
def test_texts_that_sql_may_not_hold(text: str) -> None:
    """Nobody said them, and no public value is so."""
    assert strange_text(f"SELECT COUNT(*) FROM t WHERE a = '{text}'", "duckdb", _QUESTION, claims())


@pytest.mark.parametrize(
    ("sql", "constant"),
    [
        ("SELECT a, COUNT(*) AS n FROM t GROUP BY a", False),
        ("SELECT SUM(1) AS n, ROW_NUMBER() OVER (ORDER BY a) AS r FROM t", False),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", False),
        ("SELECT 4711 AS n FROM t", True),
        ("SELECT a, n FROM (SELECT a, 4711 AS n FROM t) AS s", True),
        ("WITH s AS (SELECT a, 4711 AS n FROM t) SELECT a, n FROM s", True),
        ("SELECT a FROM t UNION ALL SELECT 'x' AS a FROM t", True),
        ("SELECT CASE WHEN TRUE THEN 4711 END AS n FROM t", True),
    ],
)
def test_a_column_is_read_or_counted(sql: str, constant: bool) -> None:
    assert has_constant_column(sqlglot.parse_one(sql, dialect="duckdb")) is constant
