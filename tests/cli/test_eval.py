"""`medflow eval` on a lake of its own: built, asked, scored, and gone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.lake import Lake

_COUNTED = "SELECT payer_id, COUNT(DISTINCT claim_id) FROM healthcare.claims_clean GROUP BY 1"
_WRONG = "SELECT payer_id, COUNT(*) + 1 FROM healthcare.claims_clean GROUP BY 1"
_SHARED = {"slice": "s", "role": "analyst", "today": "2026-07-01", "context": [], "ordered": False, "alternatives": [], "columns": []}


def bank(folder: Path, sql: str) -> str:
    """Two questions: one whose rows the SQL gives, one that has no answer."""
    lines = [
        {"id": "one", "question": "claims by payer", "paraphrases": ["number of claims per payer"], "kind": "answerable", "sql": sql},
        {"id": "two", "question": "forecast claims next year", "paraphrases": [], "kind": "unanswerable", "sql": ""},
    ]
    path = folder / "bank.jsonl"
    path.write_text("\n".join(json.dumps(_SHARED | line) for line in lines), encoding="utf-8")
    return str(path)


def test_a_lake_is_built_asked_and_gone(lake: Lake, tmp_path: Path) -> None:
    """The JSON has total, slices and failures; the configured lake is not touched, and nothing stays but the figures."""
    there = tmp_path / "temporary"
    there.mkdir()
    given = {"TMPDIR": str(there), "MEDFLOW_CATALOG": f"sqlite:///{tmp_path}/other.db"}
    done = lake.command("eval", bank(tmp_path, _COUNTED), "--data", "200,3", "--json", environment=given)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"total", "slices", "failures"}
    total = {"asked", "answered", "right", "wrong", "coverage", "precision", "rs0", "rs10", "p50_ms", "p95_ms"}
    assert total <= set(found["total"])
    assert (found["total"]["asked"], found["total"]["right"], found["total"]["wrong"], found["total"]["rs10"]) == (3, 2, 0, 100.0)
    assert list(there.iterdir()) == []
    assert not (tmp_path / "other.db").exists()
    assert [path.name for path in lake.home.iterdir()] == ["app.db"]


def test_a_wrong_answer_ends_with_1(lake: Lake, tmp_path: Path) -> None:
    """And is named."""
    done = lake.command("eval", bank(tmp_path, _WRONG), "--data", "200,3")
    assert done.returncode == 1
    assert "wrong: claims by payer" in done.stdout


def test_bad_use(lake: Lake, tmp_path: Path) -> None:
    for data in ("200", "200;3", "many,3", "-5,3"):
        done = lake.command("eval", bank(tmp_path, _COUNTED), f"--data={data}")
        assert (done.returncode, "N,SEED" in done.stderr) == (2, True), done.stderr
