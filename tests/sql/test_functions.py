"""Functions that declarations may use: the NPI check digit and membership in a code list."""

from __future__ import annotations

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from medflow.sql.compile import compile_sql
from medflow.sql.functions import unfold

_CODES = load_knowledge_base(packaged_knowledge_base()).codes
_DATABASE = duckdb.connect()


def compiled(expression: str) -> str:
    tree = unfold(sqlglot.parse_one(expression, read="spark"), _CODES)
    return compile_sql(f"SELECT {tree.sql('spark')} AS found FROM given", "duckdb")


def found(sql: str, text: str) -> bool:
    """What the expression says of one text."""
    _DATABASE.execute("CREATE OR REPLACE TABLE given AS SELECT $1::VARCHAR AS x", [text])
    return _DATABASE.execute(sql).fetchone() == (True,)


_NPI = compiled("NPI_VALID(x)")


def luhn(number: str) -> bool:
    """The Luhn sum of 80840 and the number, digit by digit from the right."""
    total = 0
    for place, digit in enumerate(reversed("80840" + number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


@given(st.text(alphabet="0123456789", min_size=10, max_size=10))
def test_the_check_digit_is_luhn_with_prefix_80840(number: str) -> None:
    """The compiled expression equals the sum told digit by digit."""
    assert found(_NPI, number) == luhn(number)


@pytest.mark.parametrize("text", ["", "123456789", "12345678933", "123456789X", "1234567893\n", " 1234567893"])
def test_anything_but_ten_digits_is_no_npi(text: str) -> None:
    """The shape is checked before the digits."""
    assert not found(_NPI, text)


def test_a_code_list_that_is_not_there_is_told() -> None:
    """The message names the lists that there are."""
    with pytest.raises(ValueError, match="no code list colours; there are: conditions"):
        unfold(sqlglot.parse_one("CODE_KNOWN(x, 'colours')", read="spark"), _CODES)
