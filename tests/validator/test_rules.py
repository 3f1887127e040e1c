"""Bounds and rewrites of the validator that no single attack shows."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from rag_backend.validator import Approved, Proof, Refused, validate
from tests.validator.corpus import DIALECTS, proof

_LINES = "healthcare.claims_clean"


def refused(sql: str, given: Proof | None = None) -> Refused:
    answer = validate(sql, given or proof())
    assert isinstance(answer, Refused), answer.sql
    return answer


def approved(sql: str, given: Proof | None = None) -> Approved:
    answer = validate(sql, given or proof())
    assert isinstance(answer, Approved), answer
    return answer


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1 AS x " + " " * 9000, "longer than 8 kB"),
        ("SELECT " + "(" * 60 + "1" + ")" * 60 + " AS x", "nested deeper"),
        ("SELECT " + "(" * 3000 + "1" + ")" * 3000 + " AS x", "nested deeper"),
        ("SELECT * FROM " + "(SELECT * FROM " * 200 + "providers" + ")" * 200, "nested deeper"),
        ("SELECT " + "CASE WHEN 1 = 1 THEN " * 60 + "1" + " END" * 60 + " AS x", "nested deeper"),
        ("SELECT " + "NOT " * 500 + "TRUE AS x", "follow each other"),
        ("SELECT " + "- " * 2000 + "1 AS x", "follow each other"),
        ("SELECT CAST(1 AS " + "ARRAY<" * 300 + "INT" + ">" * 300 + ") AS x", "follow each other"),
        ("SELECT " + " + ".join(["1"] * 400) + " AS x", "more than 500 parts"),
        ("SELECT 1 AS x FROM providers" + " JOIN providers" * 30, "JOINs"),
        (" UNION ALL ".join(["SELECT 1 AS x"] * 60), "SELECTs"),
        ("SELECT 1 AS a0, " + ", ".join(f"a{i} + a{i} AS a{i + 1}" for i in range(20)), "refer to each other"),
        (
            f"SELECT COUNT(*) AS n FROM {' CROSS JOIN '.join(f'(SELECT 1 AS x FROM providers LIMIT 1) AS t{i}' for i in range(9))}",
            "8 are allowed",
        ),
        (
            "WITH "
            + ", ".join(
                ["w0 AS (SELECT payer_id AS p FROM claims_clean)"]
                + [f"w{i + 1} AS (SELECT a.p FROM w{i} AS a JOIN w{i} AS b ON a.p = b.p)" for i in range(6)]
            )
            + " SELECT p FROM w6",
            "written out",
        ),
        (
            "WITH "
            + ", ".join(
                ["w0 AS (SELECT name AS s FROM providers)"] + [f"w{i + 1} AS (SELECT CONCAT(s, s) AS s FROM w{i})" for i in range(8)]
            )
            + " SELECT s FROM w8",
            "grow",
        ),
        ("SELECT " + "REPLACE(" * 3 + "name" + ", 'a', 'aaaaaaaaaa')" * 3 + " AS x FROM providers", "grow"),
        (f"SELECT a.units FROM {_LINES} AS a, {_LINES} AS b", "joined without an equality"),
        (
            f"SELECT x.u FROM (SELECT units AS u, (SELECT MAX(units) FROM {_LINES}) AS m FROM {_LINES}) AS x, {_LINES} AS b",
            "joined without an equality",
        ),
        (f"SELECT a.units FROM {_LINES} AS a JOIN {_LINES} AS b ON a.units = 1 AND b.units = 1", "joined without an equality"),
    ],
)
def test_what_would_cost_too_much_is_refused(sql: str, told: str) -> None:
    """Text, tree, tables, joins and texts that grow are bounded, the parser's own stack first."""
    answer = refused(sql)
    assert answer.reason_code == "over_limit"
    assert told in answer.sentence


def test_scanned_rows_are_bounded_where_a_bound_is_given() -> None:
    """Each table counts as often as it is read; one without a figure counts as too long."""
    once, twice = (
        f"SELECT COUNT(*) AS n FROM {_LINES}",
        f"SELECT COUNT(*) AS n FROM {_LINES} AS a JOIN {_LINES} AS b ON a.claim_id = b.claim_id",
    )
    bound = proof(rows={_LINES: 1000}, scan_limit=1500)
    approved(once, bound)
    assert refused(twice, bound).reason_code == "over_limit"
    assert refused("SELECT npi FROM healthcare.providers", bound).reason_code == "over_limit"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_pin_and_the_limit_are_written_in(dialect: str) -> None:
    """Every base table is read in its release, and one row more than is kept is asked for."""
    answer = approved(
        "WITH x AS (SELECT payer_id FROM claims_clean) SELECT x.payer_id FROM x JOIN denial_reasons d ON d.payer_id = x.payer_id",
        proof(dialect),
    )
    tree = sqlglot.parse_one(answer.sql, read=dialect)
    base = [table for table in tree.find_all(exp.Table) if table.db]
    assert len(base) == 2
    assert all(bool(table.args.get("version")) == (dialect != "duckdb") for table in base)
    assert tree == answer.tree
    assert tree.args["limit"].expression.name == "1001"
    assert answer.limit == 1000
    assert answer.tables == {_LINES, "healthcare_gold.denial_reasons"}


@pytest.mark.parametrize(("asked", "kept"), [("LIMIT 5", 5), ("LIMIT 0", 0), ("LIMIT 5000", 1000), ("", 1000)])
def test_the_smaller_limit_holds(asked: str, kept: int) -> None:
    """The user's or ours."""
    answer = approved(f"SELECT npi FROM providers {asked}")
    assert answer.limit == kept
    assert answer.sql.endswith(f"LIMIT {kept + 1}")


@pytest.mark.parametrize("limit", ["LIMIT ALL", "LIMIT 2 + 2", "LIMIT (SELECT 5)", "LIMIT 50 PERCENT", "LIMIT -1"])
def test_a_limit_is_a_number(limit: str) -> None:
    """A computed limit is no limit."""
    refused(f"SELECT npi FROM providers {limit}")


def test_a_star_is_the_readable_columns_without_keys() -> None:
    """A closed column is not there, and a key is not shown."""
    answer = approved(f"SELECT * FROM {_LINES}")
    assert "payer_id" in answer.output
    assert not {"member_id", "birth_year", "member_key"} & set(answer.output)
    assert refused(f"SELECT *, member_key FROM {_LINES}").reason_code == "not_permitted"


@pytest.mark.parametrize(
    "place",
    [
        "REPLACE('x', {}, '')",
        "REPLACE({}, 'x', '')",
        "ROUND(1, {})",
        "{} IS NULL",
        "CAST({} AS VARCHAR)",
        "COALESCE({}, '')",
        "1 IN (1, {})",
    ],
)
def test_a_key_is_found_in_every_argument(place: str) -> None:
    """Whatever the function or operator."""
    assert refused(f"SELECT COUNT(*) AS n FROM {_LINES} WHERE {place.format('member_key')} = TRUE").reason_code == "not_permitted"


def test_comments_vanish() -> None:
    """What runs has none."""
    assert "secret" not in approved("SELECT npi /* secret */ FROM providers -- secret").sql


def test_tables_and_columns_are_told() -> None:
    """All that is read, also where it is not shown."""
    answer = approved("SELECT COUNT(DISTINCT member_key) AS n FROM claims_clean WHERE sex = 'F'")
    assert answer.columns == {(_LINES, "member_key"), (_LINES, "sex")}
    assert answer.output == ("n",)


def test_with_names_hide_no_table() -> None:
    """An engine that names tables plainly would read the one for the other."""
    assert refused("WITH providers AS (SELECT 1 AS npi) SELECT npi FROM providers").reason_code == "unsafe"


def test_a_table_that_the_release_lacks_is_told() -> None:
    """Readable by the policy, but not in this release."""
    assert refused("SELECT npi FROM providers", proof(pins={})).reason_code == "not_in_data"


@pytest.mark.parametrize("pin", ["read_parquet('x')", "(SELECT 1)", "a.b, c.d", "t TABLESAMPLE 5"])
def test_a_pin_is_a_name(pin: str) -> None:
    """A mistake of the caller's is an error, not a way around."""
    with pytest.raises(Exception, match=r"pin|name|[Ee]xpect"):
        validate("SELECT npi FROM providers", proof(pins={"healthcare.providers": pin}))


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("spark", "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY units) AS x FROM claims_clean"),
        ("spark", "SELECT units FROM claims_clean QUALIFY ROW_NUMBER() OVER (ORDER BY claim_id) = 1 LIMIT 1"),
        ("trino", "SELECT units FROM claims_clean QUALIFY ROW_NUMBER() OVER (ORDER BY claim_id) = 1 LIMIT 1"),
        ("spark", "SELECT npi FROM providers WHERE name = 'O''Neil'"),
    ],
)
def test_what_would_be_written_out_as_something_else_is_refused(dialect: str, sql: str) -> None:
    """Another function or another text under the same name is a wrong number."""
    refused(sql, proof(dialect))
