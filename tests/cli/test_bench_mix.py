"""`medflow bench --only mix`: a day's questions to a running service, and how many tables came from its cache."""

from __future__ import annotations

import json
from pathlib import Path

from medflow.digests import sha256_of
from medflow.measurements import newest_first
from medflow.specs.question_mix import MIX_FILE
from tests.cli.test_bench import bench
from tests.support.lake import Lake, copied_knowledge_base

_STANDING = "denied claims by specialty, How many denied claims does each specialty have?"
_MIX = f"""
seed: 1
askings: 12
values: {{year: {{"2024": 1, "2025": 1, "2026": 1}}, by: {{payer: 1, claim status: 1}}}}
kinds:
  standing: {{about: x, how: again, weight: 2, questions: [{{wordings: [{_STANDING}]}}]}}
  single: {{about: x, how: once, weight: 1, questions: [{{wordings: ["members by {{by}} in {{year}}"]}}]}}
"""


def asking(folder: Path, text: str = _MIX) -> Lake:
    """A lake whose declarations have a small mix."""
    lake = Lake(folder / "lake", copied_knowledge_base(folder / "kb"))
    (lake.knowledge_base / MIX_FILE).write_text(text, encoding="utf-8")
    return lake


def test_a_day_is_asked(tmp_path: Path) -> None:
    """Eight of twelve ask one thing: all but the first come from the cache, whatever their wording; a new text never does."""
    lake, page = asking(tmp_path), tmp_path / "page.md"
    found = json.loads(bench(lake, "--claims", "300", "--only", "mix", "--json", "--out", str(page)))
    assert (found["results"], found["answers"], found["model"]) == ([], [], [])
    (mix,) = found["mix"]
    shares = {share["name"]: share for share in mix["shares"]}
    assert (mix["claims"], mix["unanswered"]) == (300, [])
    assert {name: (share["asked"], share["texts"], share["hits"]) for name, share in shares.items()} == {
        "standing": (8, 2, 7),
        "single": (4, 4, 0),
        "from the cache": (7, 2, 7),
        "computed": (5, 5, 0),
        "all": (12, 6, 7),
    }
    assert shares["all"]["hit_rate"] == round(7 / 12, 4)
    assert 0 < shares["from the cache"]["p50_ms"] < shares["computed"]["p50_ms"] <= shares["computed"]["p95_ms"]
    assert "| all | 12 | 6 | 7 | 58.3% |" in page.read_text(encoding="utf-8")
    kept = {one.name: one for one in newest_first(lake.settings.app_db)}
    assert {name: one.value for name, one in kept.items()} == {
        "mix.hit_rate": shares["all"]["hit_rate"],
        "mix.p50": shares["all"]["p50_ms"],
        "mix.p95": shares["all"]["p95_ms"],
    }
    on = kept["mix.hit_rate"].on
    assert (on.asked, on.asked_sha256, on.askings) == (MIX_FILE, sha256_of(lake.knowledge_base / MIX_FILE), 12)
    assert (on.claims, on.seed, on.planner) == (300, 7, "grammar")
    assert list(lake.home.glob("bench-*")) == []


def test_a_day_that_is_not_understood_fails(tmp_path: Path) -> None:
    """The text is named, the exit code is 1, and no figure is kept."""
    lake = asking(tmp_path, _MIX.replace(_STANDING, "forecast the claims"))
    done = lake.command("bench", "--claims", "300", "--only", "mix")
    assert done.returncode == 1
    assert "NOT ANSWERED: forecast the claims" in done.stdout
    assert newest_first(lake.settings.app_db) == []


def test_an_unsound_mix_is_told_before_anything_is_built(tmp_path: Path) -> None:
    lake = asking(tmp_path, _MIX.replace("askings: 12", "askings: none"))
    assert f"{MIX_FILE}:3: askings" in bench(lake, "--only", "mix", code=2)
