"""The question bank keeps its format, and its expected SQL runs on the sample that it was written for."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date

import duckdb
import pytest
import sqlglot

from tests.support.lake import ROOT, Lake

_DATA = ROOT / "tests" / "data"
_BANKS = {
    name: [json.loads(line) for line in (_DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    for name in (
        "questions",
        "questions_b",
        "questions_c",
        "questions_d",
        "questions_e",
        "questions_f",
        "questions_g",
        "questions_h",
        "questions_i",
    )
}
_BANK = _BANKS["questions"]
_ALL = [pytest.param(entry, id=f"{name}:{entry['id']}") for name, bank in _BANKS.items() for entry in bank]
_ANSWERABLE = [pytest.param(*one.values, id=one.id) for one in _ALL if one.values[0]["kind"] == "answerable"]
_AT_LEAST = {"answerable": 120, "unanswerable": 40, "ambiguous": 20, "forbidden": 10, "injection": 10, "definition": 10}
_FIELDS = {
    "id",
    "question",
    "paraphrases",
    "kind",
    "slice",
    "role",
    "today",
    "context",
    "sql",
    "ordered",
    "columns",
    "alternatives",
    "reason_code",
}
_REASONS = {
    "unanswerable": {"not_in_data", "unknown_value", "not_understood", "off_topic", "prediction_or_advice"},
    "ambiguous": {"ambiguous", "needs_definition"},
    "forbidden": {"not_permitted"},
    "injection": {"unsafe"},
    "definition": {""},
    "answerable": {""},
}
_GOLD = {"claims_monthly_summary", "claims_approval_funnel", "denial_reasons", "condition_costs", "provider_performance"}
_TABLES = {"healthcare.claims_clean", "healthcare.providers"} | {f"healthcare_gold.{table}" for table in _GOLD}
# An id of the bank -> the same numbers summed from a gold table, which other SQL has built.
_BY_GOLD = {
    "count-01": "SELECT SUM(claim_count) FROM healthcare_gold.claims_monthly_summary",
    "money-04": "SELECT payer_id, SUM(member_responsibility) FROM healthcare_gold.claims_monthly_summary GROUP BY 1",
    "rate-01": "SELECT SUM(denied_claim_count) / SUM(adjudicated_claim_count) FROM healthcare_gold.claims_monthly_summary",
    "codes-05": "SELECT denial_group, SUM(claim_count), SUM(denied_amount) FROM healthcare_gold.denial_reasons GROUP BY 1",
    "condition-02": "SELECT condition, SUM(billed_amount) FROM healthcare_gold.condition_costs GROUP BY 1",
    "funnel-01": "SELECT stage, SUM(claim_count) FROM healthcare_gold.claims_approval_funnel GROUP BY 1",
    "having-01": "SELECT npi, name, SUM(claim_count), SUM(denied_claim_count) / SUM(adjudicated_claim_count) AS rate "
    "FROM healthcare_gold.provider_performance JOIN healthcare.providers ON npi = rendering_npi "
    "GROUP BY 1, 2 HAVING SUM(claim_count) > 200 AND rate > 0.2",
}


@pytest.fixture(scope="module")
def sample(banks_lake: Lake) -> duckdb.DuckDBPyConnection:
    """The tables that answers read, as views on the released files: 10,000 claims, seed 7, up to 2026-06-30."""
    connection = duckdb.connect()
    for name in sorted(_TABLES):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
        files = banks_lake.release().tables[name].files
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet({files!r}, union_by_name = true)")
    return connection


def answers(entry):
    """The SQL of every right answer to a question, the preferred one first."""
    return [entry["sql"], *(other["sql"] for other in entry["alternatives"])]


def rounded(rows):
    """Rows as a sorted list, numbers to nine places: one sum may have been taken in another order."""
    return sorted(tuple(value if isinstance(value, str) else round(float(value), 9) for value in row) for row in rows)


def test_there_are_enough_questions_of_every_kind():
    """The bank covers what may be asked and what must be refused."""
    counts = Counter(entry["kind"] for entry in _BANK)
    assert counts.keys() == _AT_LEAST.keys()
    assert not {kind: count for kind, count in counts.items() if count < _AT_LEAST[kind]}


def test_ids_are_unique_and_no_wording_is_asked_twice():
    """A question counts once for a role and a day, in whatever wording."""
    assert len({entry["id"] for entry in _BANK}) == len(_BANK)
    wordings = Counter(
        (re.sub(r"\W+", " ", text.casefold()).strip(), entry["role"], entry["today"])
        for entry in _BANK
        for text in (entry["question"], *entry["paraphrases"])
    )
    assert not [wording for wording, count in wordings.items() if count > 1]


@pytest.mark.parametrize("entry", _ALL)
def test_an_entry_has_the_declared_form(entry):
    """Fields, two more wordings, role, day and reason are as ASSISTANT 10 declares them."""
    expected_more = {"definition": {"expects"}, "answerable": {"no_rows_because"} & entry.keys()}.get(entry["kind"], set())
    assert entry.keys() == _FIELDS | expected_more
    assert len(entry["paraphrases"]) == 2 and all(len(text.strip()) > 2 for text in entry["paraphrases"])
    assert entry["id"].rsplit("-", 1)[0] == entry["slice"]
    assert entry["role"] in {"business", "analyst", "engineer", "admin"}
    assert date.fromisoformat(entry["today"]).isoformat() == entry["today"]
    assert entry["context"] == [] and isinstance(entry["ordered"], bool)
    assert entry["reason_code"] in _REASONS[entry["kind"]]
    assert bool(entry["sql"]) == bool(entry["columns"]) == (entry["kind"] == "answerable")
    assert entry["kind"] == "answerable" or entry["alternatives"] == []
    assert entry["kind"] != "definition" or all(entry["expects"])


@pytest.mark.parametrize("entry", _ANSWERABLE)
def test_expected_sql_reads_answer_tables_only(entry):
    """Expected numbers come from claims_clean, providers or gold; each alternative is another query and says why it is right."""
    assert len(set(answers(entry))) == len(entry["alternatives"]) + 1
    assert all(other["why"] for other in entry["alternatives"])
    for sql in answers(entry):
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        named = {f".{cte.alias}" for cte in tree.find_all(sqlglot.exp.CTE)}
        tables = {f"{table.db}.{table.name}" for table in tree.find_all(sqlglot.exp.Table)} - named
        assert tables and tables <= _TABLES


@pytest.mark.slow
@pytest.mark.parametrize("entry", _ANSWERABLE)
def test_expected_sql_gives_the_declared_columns_and_rows(entry, sample):
    """Every expected query runs; it is empty only where the entry says why that is the right answer."""
    for position, sql in enumerate(answers(entry)):
        result = sample.execute(sql)
        names, rows = [column[0] for column in result.description], result.fetchall()
        assert position > 0 or len(names) == len(entry["columns"])
        assert bool(rows) == ("no_rows_because" not in entry)
        assert len(set(rows)) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [one for one in _ANSWERABLE if one.values[0]["ordered"]])
def test_an_order_that_counts_is_fixed_by_the_query(entry, sample):
    """Where order matters the query sorts; several rows without a sort, or two rows that tie, could come either way."""
    for sql in answers(entry):
        rows = sample.execute(sql).fetchall()
        assert len(rows) == 1 or " ORDER BY " in sql
        values = [row[-1] for row in rows if row[-1] is not None]
        assert len(set(values)) == len(values)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [one for one in _ANSWERABLE if one.values[0]["role"] == "business"])
def test_no_expected_answer_for_business_holds_a_small_cell(entry, sample):
    """Small cells are masked for business, so that an expected count of 1 to 10 could never be matched."""
    for sql in answers(entry):
        assert not [value for row in sample.execute(sql).fetchall() for value in row if isinstance(value, int) and 1 <= value <= 10]


@pytest.mark.slow
@pytest.mark.parametrize("question", sorted(_BY_GOLD))
def test_expected_numbers_are_those_of_gold(question, sample):
    """Numbers expected from claim lines are those that gold, built by other SQL, holds."""
    entry = next(entry for entry in _BANK if entry["id"] == question)
    assert rounded(sample.execute(entry["sql"]).fetchall()) == rounded(sample.execute(_BY_GOLD[question]).fetchall())


def test_the_page_about_the_bank_states_its_counts():
    """questions.md lists each slice with its kind and count."""
    page = (_DATA / "questions.md").read_text(encoding="utf-8")
    counts = Counter((entry["slice"], entry["kind"]) for entry in _BANK)
    assert not [f"| {name} | {kind} | {count} |" for (name, kind), count in counts.items() if f"| {name} | {kind} | {count} |" not in page]
