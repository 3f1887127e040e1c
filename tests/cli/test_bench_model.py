"""`medflow bench --only model`: what the service takes for itself beside a model that takes its time."""

from __future__ import annotations

import json
from pathlib import Path

from medflow.measurements import newest_first
from medflow.specs.examples import load_examples
from tests.cli.test_bench import bench
from tests.support.lake import Lake, copied_knowledge_base

SECONDS = 0.5


def test_our_own_share_is_what_is_left(tmp_path: Path) -> None:
    """The service waits for the model, and that is not counted; what the model did not plan is left out by name."""
    lake = Lake(tmp_path / "lake", copied_knowledge_base(tmp_path / "kb"))
    for path in (lake.knowledge_base / "examples").glob("*.yaml"):
        if path.stem != "counts":
            path.unlink()
    questions = load_examples(lake.knowledge_base)
    given = ["--claims", "300", "--only", "model", "--model-seconds", str(SECONDS)]
    found = json.loads(bench(lake, *given, "--json"))
    (model,) = found["model"]
    assert (model["claims"], model["seconds"], model["asked"]) == (300, SECONDS, len(questions.by_id))
    assert model["read"] >= 0.7 * model["asked"]
    assert len(model["others"]) == model["asked"] - model["read"]
    assert 0 < model["own_p50_ms"] < SECONDS * 1000
    assert model["own_p50_ms"] <= model["own_p95_ms"] <= model["own_longest_ms"]
    kept = {one.name: one for one in newest_first(lake.settings.app_db)}
    assert {name: one.value for name, one in kept.items()} == {"model.own_p50": model["own_p50_ms"], "model.own_p95": model["own_p95_ms"]}
    on = kept["model.own_p95"].on
    assert (on.model_seconds, on.planner, on.askings, on.asked_sha256) == (SECONDS, "claude", model["read"], questions.version)


def test_a_model_that_plans_nothing_is_no_figure(tmp_path: Path) -> None:
    """Without an answer that a model planned the command fails and keeps nothing."""
    lake = Lake(tmp_path / "lake", copied_knowledge_base(tmp_path / "kb"))
    for path in (lake.knowledge_base / "examples").glob("*.yaml"):
        path.unlink()
    text = "examples: {x: {question: forecast the claims, query: {metrics: [{id: claim_count}]}, sql: SELECT 1}}"
    (lake.knowledge_base / "examples" / "x.yaml").write_text(text)
    done = lake.command("bench", "--claims", "300", "--only", "model", "--model-seconds", "0")
    assert done.returncode == 1, done.stderr
    assert "left out: forecast the claims" in done.stdout
    assert newest_first(lake.settings.app_db) == []
