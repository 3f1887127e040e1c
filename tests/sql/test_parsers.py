"""Parsers: one table of strings that every engine reads alike."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlglot
import yaml

from medflow.sql.compile import compile_sql
from medflow.sql.parsers import parser_of

_TABLE = yaml.safe_load((Path(__file__).parents[1] / "data/parsers.yaml").read_text(encoding="utf-8"))
_CODES = {"status": {"PAID": "paid", "DENIED": "denied"}}


@pytest.mark.parametrize("name", _TABLE)
def test_duckdb_reads_every_string_as_the_table_says(name: str) -> None:
    """Value or nothing, never an error and never a guess."""
    texts = _TABLE[name]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE strings (place INTEGER, x VARCHAR)")
    connection.executemany("INSERT INTO strings VALUES (?, ?)", list(enumerate(texts)))
    select = compile_sql(f"SELECT CAST({parser_of(name, _CODES).sql('x')} AS STRING) AS value FROM strings ORDER BY place", "duckdb")
    found = [row[0] for row in connection.execute(select).fetchall()]
    assert dict(zip(texts, found, strict=True)) == texts


@pytest.mark.parametrize("name", _TABLE)
def test_spark_sql_of_every_parser_parses(name: str) -> None:
    """The same parser for Spark is whole Spark SQL that says the same when read back."""
    select = f"SELECT {parser_of(name, _CODES).sql('x')} AS value FROM strings"
    spark = compile_sql(select, "spark")
    assert sqlglot.parse_one(spark, read="spark").sql("spark") == spark


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("money", "no parser 'money'; allowed: "),
        ("date:DD.MM", "a year, a month and a day"),
        ("date:YYYY-QQ", "made of YYYY, MM or Mon, DD"),
        ("code:colour", "no code map 'colour'; the file's codes are: status"),
        ("int:5", "int takes no argument"),
        ("part:-:3", "such as part:-:1"),
        ("list:ab:text", "no parser 'b:text'|separator is one sign"),
        ("zero_padded:10:12", "such as zero_padded:12:10"),
        ("root:", "version marker"),
    ],
)
def test_a_wrong_parser_is_told_with_what_is_allowed(name: str, told: str) -> None:
    """The closed list is closed, and says so."""
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        parser_of(name, _CODES)
