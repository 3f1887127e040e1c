"""What the generator meant is what the pipeline finds: rule counts, quarantine, versions, and gold to the cent."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from medflow.errors import GateRefused
from medflow.generate import SampleRequest, generate
from spark_jobs.landing import Landing, land
from tests.support.lake import Lake

_GOLD = ("claims_monthly_summary", "claims_approval_funnel", "denial_reasons", "condition_costs")


def loaded(lake: Lake, folder: Path) -> None:
    """Land and run a sample."""
    land(folder, Landing.local(lake.landing), lake.site().knowledge_base.layouts, lambda _: None)
    lake.run()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any], Path]:
    """The issue's own sample: 100,000 claims, seed 7, 4 % of lines in error."""
    folder = tmp_path_factory.mktemp("truth")
    truth = generate(SampleRequest(claims=100_000, seed=7, out=folder / "files", defects=0.04))
    lake = Lake(folder / "lake")
    loaded(lake, folder / "files")
    return lake, truth, folder / "files"


def test_rule_counts_are_those_meant(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """Every rule, warnings and siblings included, fails exactly the lines that were written to fail it."""
    lake, truth, _ = sample
    found = {
        (r["payer_id"], r["rule_id"]): r["rows_failed"]
        for r in lake.rows("healthcare.data_quality_log", "payer_id, rule_id, rows_failed", "layer = 'silver' AND payer_id <> 'all'")
    }
    meant = {(payer, rule): count for payer, rules in truth["rules"].items() for rule, count in rules.items()}
    assert {key: count for key, count in found.items() if count} == {key: count for key, count in meant.items() if count}


def test_lines_with_an_error_of_their_own_are_in_the_promised_band(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """3.5 to 5 % of the lines, as asked for with --defects 0.04."""
    lake, truth, _ = sample
    row = lake.rows(
        "healthcare.data_quality_log", "rows_checked, rows_failed", "layer = 'gate' AND rule_id = 'error_share' AND payer_id = 'all'"
    )[0]
    assert row["rows_failed"] == sum(truth["own_error_lines"].values())
    assert 0.035 <= row["rows_failed"] / row["rows_checked"] <= 0.05


def test_quarantine_holds_exactly_the_lines_meant(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """Line by line, by the identity of row_id: SHA-256 of file, record number and line index."""
    lake, truth, folder = sample
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in truth["files"]}
    meant = Counter(
        hashlib.sha256(f"{hashes[name]}:{number}:{index}".encode()).hexdigest() for name, number, index in truth["quarantined_records"]
    )
    found = Counter(row["row_id"] for row in lake.rows("healthcare.claims_quarantined", "row_id"))
    assert found == meant
    per_payer = Counter(row["payer_id"] for row in lake.rows("healthcare.claims_quarantined", "payer_id"))
    assert per_payer == truth["quarantine"]


def test_history_and_clean_are_those_meant(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """Accepted lines, current lines, claims, and warnings against other versions, a payer at a time."""
    lake, truth, _ = sample
    assert Counter(row["payer_id"] for row in lake.rows("healthcare.claims_history", "payer_id")) == truth["history_lines"]
    clean = lake.rows("healthcare.claims_clean", "payer_id, claim_id, quality_warnings")
    for payer, meant in truth["clean"].items():
        mine = [row for row in clean if row["payer_id"] == payer]
        assert (len({row["claim_id"] for row in mine}), len(mine)) == (meant["claims"], meant["lines"])
        warnings = Counter(w for row in mine for w in row["quality_warnings"] if w in truth["version_warnings"][payer])
        assert {name: warnings[name] for name in truth["version_warnings"][payer]} == truth["version_warnings"][payer]
    assert len(lake.rows("healthcare.providers", "npi")) == truth["providers"]


@pytest.mark.parametrize("table", _GOLD)
def test_gold_is_as_meant_to_the_cent(sample: tuple[Lake, dict[str, Any], Path], table: str) -> None:
    """Every row: keys, counts, money, distinct members and medians."""
    lake, truth, _ = sample
    meant = truth["gold"][table]
    names = list(meant[0])
    found = [{name: _as_truth(name, row) for name in names} for row in lake.rows(f"healthcare_gold.{table}")]
    assert sorted(found, key=repr) == sorted(meant, key=repr)


def test_provider_performance_adds_up_as_meant(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """Rows, claims, money and ranked providers by payer and year."""
    lake, truth, _ = sample
    rows = lake.rows("healthcare_gold.provider_performance")
    for payer, years in truth["gold"]["provider_performance"].items():
        for year, meant in years.items():
            mine = [row for row in rows if row["payer_id"] == payer and row["service_year"] == int(year)]
            found = {"rows": len(mine), "ranked_rows": sum(row["is_ranked"] for row in mine)}
            for name in meant:
                if name not in found:
                    found[name] = sum(_as_truth(name, row) for row in mine)
            assert found == meant, (payer, year)


def test_too_many_defects_are_refused(lake: Lake, tmp_path: Path) -> None:
    """At 13 % the gate says no, and nothing is visible."""
    generate(SampleRequest(claims=6000, seed=7, out=tmp_path / "files", defects=0.13))
    with pytest.raises(GateRefused, match=r"all: \d+ of \d+ lines \(1[23]\.\d%\)"):
        loaded(lake, tmp_path / "files")
    assert lake.site().ledger.current_release() is None


def _as_truth(name: str, row: dict[str, Any]) -> Any:
    """A table's value as truth.json writes it: cents as whole numbers, dates as text."""
    value = (
        row[name]
        if name in row
        else row[name.replace("_cents", "_amount")]
        if name.replace("_cents", "_amount") in row
        else row[name.removesuffix("_cents")]
    )
    if isinstance(value, Decimal):
        return int(value * 100)
    return value.isoformat() if isinstance(value, date) else value


def test_truth_is_written_beside_the_files(sample: tuple[Lake, dict[str, Any], Path]) -> None:
    """truth.json is what generate returned."""
    _, truth, folder = sample
    assert json.loads((folder / "truth.json").read_text()) == json.loads(json.dumps(truth))
