"""The same request gives the same bytes, on any run."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from medflow.generate import SampleRequest, generate, sample

ASKED = SampleRequest(claims=500, seed=42, out=Path("unused"), defects=0.1, days=3)


def fingerprint(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def test_same_request_same_bytes(tmp_path):
    """Two runs write byte-identical files; another seed writes others."""
    for name, seed in (("one", 42), ("two", 42), ("other", 43)):
        generate(replace(ASKED, out=tmp_path / name, seed=seed))
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "other")


def test_bytes_do_not_depend_on_the_process(tmp_path):
    """Nothing rests on the order of sets or hashes: processes with other hash seeds write the same."""
    code = (
        "import sys; from pathlib import Path; from medflow.generate import SampleRequest, generate; "
        "generate(SampleRequest(claims=300, seed=1, out=Path(sys.argv[1]), defects=0.2))"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / hash_seed)], env=environment, check=True)
    assert fingerprint(tmp_path / "1") == fingerprint(tmp_path / "2")


def test_batches_are_streamed(tmp_path, monkeypatch):
    """A sample of many batches has as many claims as asked, files that fit the truth, and reports its progress."""
    monkeypatch.setattr(sample, "BATCH_CLAIMS", 100)
    told = []
    truth = generate(SampleRequest(claims=730, seed=9, out=tmp_path / "s", defects=0.05), told.append)
    assert told == [100, 200, 300, 400, 500, 600, 700, 730]
    united = (tmp_path / "s/unitedhealth/unitedhealth_claims_2026-06-30.txt").read_text().splitlines()
    assert united[-1].split("|")[1] == str(len(united) - 2)
    assert sum(line.startswith("clm_no") for line in united) == 1
    assert json.loads((tmp_path / "s/truth.json").read_text()) == truth


def test_large_samples_tell_no_distinct_counts(tmp_path, monkeypatch):
    """Above the limit the truth has additive columns only, and lists no records."""
    monkeypatch.setattr(sample, "MOST_CLAIMS_WITH_MEMBERS", 10)
    monkeypatch.setattr("medflow.generate.truth.MOST_RECORDS_LISTED", 5)
    truth = generate(SampleRequest(claims=200, seed=9, out=tmp_path / "s", defects=0.1))
    row = truth["gold"]["claims_monthly_summary"][0]
    assert "member_count" not in row and "median_days_to_adjudicate" not in row and row["claim_count"] > 0
    assert "quarantined_records" not in truth
