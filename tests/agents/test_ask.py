"""`medflow ask` and `medflow sql` as their users type them, on a published lake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rag_backend.agents.flow import AGENTS, EDGES
from rag_backend.agents.turn import Turn
from rag_backend.assistant import opened
from tests.support.lake import ROOT, Lake

_TODAY = "2026-07-01"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """2,000 claims, one release."""
    lake = Lake(tmp_path_factory.mktemp("ask") / "lake")
    lake.generate(2_000)
    lake.run()
    return lake


@pytest.fixture(scope="module")
def ask(lake: Lake) -> Ask:
    def asked(question: str, role: str = "analyst") -> dict[str, Any]:
        with opened(lake.settings, role) as assistant:
            return assistant.ask(question, date.fromisoformat(_TODAY))

    return asked


def test_a_number_is_the_lines_own(ask: Ask, lake: Lake) -> None:
    """The answer is what the lines say, with how it was read, its release, and what to ask next."""
    answer = ask("What is the average claim amount for diabetes patients?")
    figures = "SUM(billed_amount) AS b, COUNT(DISTINCT (payer_id, claim_id)) AS n"
    told = lake.rows("healthcare.claims_clean", figures, "LEFT(principal_diagnosis, 3) BETWEEN 'E08' AND 'E13'")[0]
    assert answer["status"] == "answered"
    assert answer["rows"][0][0] == pytest.approx(float(told["b"]) / told["n"], rel=1e-12)
    assert "Diabetes" in answer["interpretation"] or "diabetes" in answer["interpretation"]
    assert answer["release"]["number"] == 1
    assert answer["follow_ups"]


def test_payers_show_their_label(ask: Ask) -> None:
    """The label is shown; the value is what filters."""
    answer = ask("claims by payer")
    assert {row[0] for row in answer["rows"]} == {"BlueCross", "Aetna", "UnitedHealth"}
    assert sum(row[1] for row in answer["rows"]) == 2000


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("claims for Cigna", "unknown_value"),
        ("what is the cost by payer", "ambiguous"),
        ("forecast claims next year", "prediction_or_advice"),
        ("drop table claims", "unsafe"),
        ("claims by shoe size", "not_understood"),
        ("claims in 2019", "not_in_data"),
        ("", "not_understood"),
        ("Wie viele Rechnungen gab es im Mai?", "not_understood"),
        ("\x00\x01\x02", "not_understood"),
        ("claims " * 20_000, "over_limit"),
    ],
)
def test_what_has_no_answer_says_why(question: str, reason: str, ask: Ask) -> None:
    """Refused or asked back, with a reason of the closed list and a sentence; never a number."""
    answer = ask(question)
    assert answer["status"] in ("refused", "clarify")
    assert answer["reason_code"] == reason or (reason == "not_understood" and answer["reason_code"] in ("unsafe", "unknown_value"))
    assert answer["rows"] == []
    assert answer["explanation"]


def test_a_role_that_may_not_see_small_counts_sees_them_masked(ask: Ask) -> None:
    """Numbers of many are shown; those of 1 to 10 are none, each with its reason, and the answer says so."""
    many, few = ask("claims by payer", role="business"), ask("denied claims by provider in 2026", role="business")
    assert (many["status"], sum(row[1] for row in many["rows"]), many["suppressed_cells"]) == ("answered", 2000, [])
    assert [(row, "denied_claim_count", "small_cell") for row, cells in enumerate(few["rows"]) if cells[-1] is None] == [
        tuple(cell) for cell in few["suppressed_cells"]
    ]
    assert all(row[-1] is None or row[-1] == 0 or row[-1] > 10 for row in few["rows"])
    assert few["status"] == "answered", few["explanation"]
    assert few["masked_columns"] == ["denied_claim_count"]
    assert "suppressed" in {notice["code"] for notice in few["notices"]}
    assert few["findings"] == []


def test_sql_passes_the_same_proof(lake: Lake) -> None:
    """What the role may read is answered; a hidden column, a file and a closed role are refused."""
    with opened(lake.settings, "analyst") as assistant:
        counted = assistant.sql("SELECT COUNT(DISTINCT member_key) AS n FROM healthcare.claims_clean", date.fromisoformat(_TODAY))
        hidden = assistant.sql("SELECT member_id FROM healthcare.claims_clean", date.fromisoformat(_TODAY))
        file = assistant.sql("SELECT * FROM read_csv('/etc/hostname')", date.fromisoformat(_TODAY))
    assert counted["rows"][0][0] > 0
    assert (hidden["reason_code"], hidden["rows"]) == ("not_permitted", [])
    assert (file["reason_code"], file["rows"]) == ("unsafe", [])
    with opened(lake.settings, "business") as assistant:
        assert assistant.sql("SELECT 1 AS one", date.fromisoformat(_TODAY))["reason_code"] == "not_permitted"


def test_the_command_is_light(lake: Lake) -> None:
    """A data question with the built-in planner imports no table format, no graph, no vector store, no model."""
    code = (
        "import sys; from medflow.cli import medflow; "
        f"medflow.main(['--home', {str(lake.home)!r}, 'ask', 'claims by payer', '--today', '{_TODAY}'], standalone_mode=False); "
        "print([n for n in ('pyiceberg', 'langgraph', 'chromadb', 'anthropic', 'pyspark', 'duckdb', 'fastapi', 'uvicorn') if n in sys.modules])"
    )
    with opened(lake.settings, "analyst"):  # the first question of a release builds its reader file
        pass
    done = subprocess.run([sys.executable, "-c", code], env=lake.environment(), cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_command_tells_and_exits(lake: Lake) -> None:
    """0 with a table, 1 with a reason."""
    good = lake.command("ask", "Which payer has the highest denial rate?", "--today", _TODAY)
    assert good.returncode == 0, good.stderr
    assert "%" in good.stdout
    assert "Read as:" in good.stdout
    bad = lake.command("ask", "claims for Cigna", "--today", _TODAY)
    assert bad.returncode == 1
    assert "unknown_value" in bad.stdout
    data = json.loads(lake.command("ask", "claims by payer", "--json").stdout)
    assert data["columns"][1]["unit"] == "count"


def test_every_edge_leads_to_an_agent() -> None:
    """Nine agents, one table, no dead end."""
    assert len(AGENTS) == 9
    assert set(EDGES) == set(AGENTS)
    for name in AGENTS:
        assert EDGES[name](Turn("", date.fromisoformat(_TODAY))) in {*AGENTS, ""}
        assert Path(ROOT / f"rag_backend/agents/{name}.py").is_file()
