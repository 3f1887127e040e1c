"""Every declaration compiles to SQL that DuckDB and Spark can parse."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
import sqlglot

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import KnowledgeBase, load_knowledge_base
from medflow.sql.compile import compile_sql
from spark_jobs import rules, versions
from spark_jobs.bronze import raw_rows_sql
from spark_jobs.lines import lines_sql
from spark_jobs.run import CLEAN

_BASE = load_knowledge_base(packaged_knowledge_base())


def statements(base: KnowledgeBase) -> Iterator[tuple[str, str]]:
    """Every SELECT of the plan, by name."""
    for payer, layout in base.layouts.items():
        yield f"bronze {payer}", raw_rows_sql(layout, "b")
    for payer, layout in base.payers.items():
        yield f"lines {payer}", lines_sql(layout, base.contract)
    yield "flagged", rules.flagged_sql(base)
    yield "noted", rules.noted_sql(with_waivers=True)
    yield "judged", rules.judged_sql()
    yield "accepted", rules.accepted_sql(base.contract, "b")
    yield "failed", rules.failed_sql(base.contract)
    yield "counts", rules.rule_counts_sql(base.contract)
    yield from versions.version_steps(base.contract).items()
    yield "current", versions.current_sql(base.contract, base.tables[CLEAN].column_names)
    for name, table in base.gold.items():
        yield name, table.query


@pytest.mark.parametrize(("name", "sql"), [pytest.param(name, sql, id=name) for name, sql in statements(_BASE)])
def test_each_step_compiles_for_both_engines(name: str, sql: str) -> None:
    """The plan is written once; each engine's text is whole SQL of its dialect."""
    del name
    assert len(duckdb.extract_statements(compile_sql(sql, "duckdb"))) == 1
    spark = compile_sql(sql, "spark")
    assert sqlglot.parse_one(spark, read="spark").sql("spark") == spark


def test_text_is_cast_by_parsers_alone() -> None:
    """No other CAST from text: try-conversions stand in parsers, plain casts only give types to NULL, dates and numbers."""
    for payer, layout in _BASE.payers.items():
        tree = sqlglot.parse_one(lines_sql(layout, _BASE.contract), read="spark")
        for cast in tree.find_all(sqlglot.exp.Cast):
            if isinstance(cast, sqlglot.exp.TryCast):
                continue
            assert isinstance(cast.this, sqlglot.exp.Null | sqlglot.exp.Array) or cast.to.sql("spark") == "STRING", (payer, cast.sql())


@pytest.mark.parametrize(("share", "expected"), [("0.9", 3.7), ("0.5", 2.5), ("0", 1.0), ("1", 4.0)])
def test_a_percentile_is_interpolated(share: str, expected: float) -> None:
    """As in Spark: between two values, the share of the way from one to the other."""
    sql = f"SELECT PERCENTILE(CAST(x AS DOUBLE), {share}) FROM (VALUES (1), (2), (3), (4)) AS t(x)"
    assert duckdb.sql(compile_sql(sql, "duckdb")).fetchall() == [(pytest.approx(expected),)]
