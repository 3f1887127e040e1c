"""The jobs with Spark, in one process: what one run with DuckDB makes, told again by DuckDB before it is published."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from spark_jobs.__main__ import main
from spark_jobs.steps import JOBS
from tests.support.claims import WRITERS, Line, Version
from tests.support.lake import Lake

QUALITY = "healthcare.data_quality_log"


def test_the_jobs_with_spark_make_what_a_run_makes(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each job goes on from the files of the one before; the verifying ones, which are not told of Spark, still recompute."""
    other = Lake(tmp_path / "other")
    versions = [Version(f"C{n}", member=f"M{n % 5}", service=date(2026, 1 + n % 2, 3)) for n in range(12)]
    for one in (lake, other):
        for payer, writer in WRITERS.items():
            one.put(payer, "1.csv", writer([*versions, Version("BAD", lines=(Line(1), Line(2, units=0)))]))
        one.put("reference", "providers.csv", b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n")
    other.run()
    for name, value in lake.environment().items():
        if name.startswith("MEDFLOW_"):
            monkeypatch.setenv(name, value)
    for job in JOBS:
        engine = ("--engine", "local[2]") if job.builds else ()
        assert main([job.name, "--date", "2026-07-01", *engine, "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["release"] == 1
    assert lake.content() == other.content()
    recomputed = lake.rows(QUALITY, "rule_id, outcome", "rule_id LIKE '%_recomputed'")
    assert {row["rule_id"] for row in recomputed} >= {"claims_history_recomputed", "claims_monthly_summary_recomputed"}
    assert {row["outcome"] for row in recomputed} == {"pass"}
