"""Two real inputs that nobody here wrote, each one more payer by one YAML file: every line accounted for."""

from __future__ import annotations

import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from medflow.errors import GateRefused
from tests.support.lake import ROOT, Lake, copied_knowledge_base

_DATA = ROOT.parent / "shared/data"
_YAML = ROOT / "tests/data/payers"
_MONEY = "sum(CAST(fields['{}'] AS DECIMAL(12, 2)))"
pytestmark = pytest.mark.skipif(
    not _DATA.is_dir(), reason="../shared/data is not beside this checkout: the real input files are not shipped"
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged declarations and the two payers; a gate that lets a file of nothing but errors through to be looked at."""
    folder = copied_knowledge_base(tmp_path_factory.mktemp("kb") / "kb")
    for path in _YAML.glob("*.yaml"):
        shutil.copy(path, folder / "payers")
    gate = folder / "gate.yaml"
    gate.write_text(gate.read_text().replace("refuse_at: 0.10", "refuse_at: 1.0"))
    return folder


@pytest.fixture(scope="module")
def lake(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Both inputs in one release."""
    lake = Lake(tmp_path_factory.mktemp("real") / "lake", base)
    lake.put("cms_carrier", "carrier.csv", (_DATA / "cms_carrier/carrier.csv").read_bytes())
    lake.put("denials_1k", "claim_data.csv", (_DATA / "denials_1k/claim_data.csv").read_bytes())
    lake.run()
    return lake


@pytest.mark.parametrize("payer", ["cms_carrier", "denials_1k"])
def test_one_payer_is_one_file_of_at_most_40_lines(payer: str) -> None:
    """No code: the YAML alone."""
    assert len((_YAML / f"{payer}.yaml").read_text().splitlines()) <= 40


def test_every_line_is_accounted_for(lake: Lake) -> None:
    """221 and 1,000 lines read, each in exactly one of history and quarantine."""
    kept = Counter(row["payer_id"] for row in lake.rows("healthcare.claims_history", "payer_id"))
    aside = Counter(row["payer_id"] for row in lake.rows("healthcare.claims_quarantined", "payer_id"))
    assert kept + aside == {"cms_carrier": 221, "denials_1k": 1000}
    assert kept["cms_carrier"] > 0
    assert kept["denials_1k"] > 0


def test_the_known_totals_of_the_carrier_file(lake: Lake) -> None:
    """Submitted = allowed = 145,554.31 and paid 112,165.91, as its README says; the ledger counts the same cents."""
    names = {"submitted": "LINE_SBMTD_CHRG_AMT", "allowed": "LINE_ALOWD_CHRG_AMT", "paid": "LINE_NCH_PMT_AMT"}
    columns = ", ".join(f"{_MONEY.format(column)} AS {name}" for name, column in names.items())
    totals = lake.rows("healthcare.claims_raw", columns, "payer_id = 'cms_carrier'")[0]
    assert totals == {"submitted": Decimal("145554.31"), "allowed": Decimal("145554.31"), "paid": Decimal("112165.91")}
    ledger = next(entry for entry in lake.site().ledger.files() if entry.payer == "cms_carrier")
    assert ledger.billed_cents == 14555431


def test_no_line_of_the_carrier_file_is_lost_to_versions(lake: Lake) -> None:
    """No (claim, line) repeats: clean has every accepted line, none dropped as a duplicate."""
    history = lake.rows("healthcare.claims_history", "claim_id, line_number", "payer_id = 'cms_carrier'")
    clean = lake.rows("healthcare.claims_clean", "claim_id, line_number", "payer_id = 'cms_carrier'")
    assert history == clean
    assert len({tuple(row.values()) for row in history}) == len(history)


def test_what_is_known_of_the_denials_sample_is_found(lake: Lake) -> None:
    """900 provider ids fail the check digit and 328 denied claims carry money, as its README says."""
    errors = Counter(
        error["rule_id"]
        for row in lake.rows("healthcare.claims_quarantined", "errors", "payer_id = 'denials_1k'")
        for error in row["errors"]
    )
    assert errors["npi_check"] == 900
    assert errors["denied_amounts_zero"] == 328


def test_the_shipped_gate_refuses_them(base: Path, tmp_path: Path) -> None:
    """Under the shipped gate the sample publishes nothing, and says why."""
    strict = tmp_path / "kb"
    shutil.copytree(base, strict)
    gate = strict / "gate.yaml"
    gate.write_text(gate.read_text().replace("refuse_at: 1.0", "refuse_at: 0.10"))
    lake = Lake(tmp_path / "lake", strict)
    lake.put("denials_1k", "claim_data.csv", (_DATA / "denials_1k/claim_data.csv").read_bytes())
    with pytest.raises(GateRefused, match=r"denials_1k: 9\d\d of 1000 lines"):
        lake.run()
