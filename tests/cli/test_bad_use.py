"""Bad use of the real command: one clear message with the next step, exit 1 or 2, no traceback."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.claims import Version, bluecross
from tests.support.lake import Lake, copied_knowledge_base


def told(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one message, once it is known to be no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    return done.stderr


@pytest.fixture
def loaded(lake: Lake) -> Lake:
    """A lake with one file waiting."""
    lake.put("bluecross", "1.csv", bluecross([Version()]))
    return lake


def test_a_missing_folder_to_land(lake: Lake) -> None:
    """Says what a folder to land looks like."""
    assert "is not a folder; `medflow land DIR` takes a folder with one folder a payer" in told(lake.command("land", "nowhere"), 1)


def test_no_landing_folder(lake: Lake) -> None:
    """Says how files get there."""
    assert "`medflow land DIR` copies payer files there" in told(lake.command("run"), 1)


def test_an_unknown_payer(loaded: Lake) -> None:
    """Says which payers are declared and what to add."""
    loaded.put("cigna", "1.csv", b"x")
    message = told(loaded.command("run"), 2)
    assert "declared: aetna, bluecross" in message
    assert "payers/cigna.yaml" in message


def test_broken_declarations(loaded: Lake, tmp_path: Path) -> None:
    """All problems with file and line."""
    base = copied_knowledge_base(tmp_path / "kb")
    path = base / "payers/aetna.yaml"
    path.write_text(path.read_text().replace("{units: int}", "{units: whole}").replace("label: Aetna", "lable: Aetna"))
    message = told(loaded.command("run", environment={"MEDFLOW_KNOWLEDGE_BASE": str(base)}), 2)
    assert "payers/aetna.yaml:2: lable: unknown key" in message


def test_an_unknown_setting(lake: Lake) -> None:
    """A misspelt setting is not passed over."""
    assert "unknown setting MEDFLOW_CATALOGUE; allowed: MEDFLOW_AIRFLOW_URL" in told(
        lake.command("status", environment={"MEDFLOW_CATALOGUE": "x"}), 2
    )


def test_a_catalog_that_is_no_database(loaded: Lake) -> None:
    """Says which setting names it."""
    path = loaded.home / "lake.db"
    path.parent.mkdir(exist_ok=True)
    path.write_text("not a database, but long enough to look at" * 40)
    assert "MEDFLOW_CATALOG" in told(loaded.command("run"), 1)


def test_an_engine_that_there_is_not(loaded: Lake) -> None:
    """Says which there are."""
    assert "no build engine 'pandas'" in told(loaded.command("run", "--engine", "pandas"), 2)


def test_nonsense_arguments(loaded: Lake) -> None:
    """Dates, tables, releases, files and rows that there are not."""
    assert "write it as YYYY-MM-DD" in told(loaded.command("run", "--date", "yesterday"), 2)
    assert "there is no release yet" in told(loaded.command("run", "--rebuild", "claims_clean"), 2)
    assert loaded.command("run", "--json").returncode == 0
    assert "cannot rebuild customers; allowed: healthcare.claims_history" in told(loaded.command("run", "--rebuild", "customers"), 2)
    assert "there is no release 9" in told(loaded.command("releases", "restore", "9"), 2)
    assert "no file in the ledger" in told(loaded.command("files", "exclude", "abcdef"), 2)
    assert "no line begins with" in told(loaded.command("quarantine", "show", "abcdef"), 2)
    assert "no open line of the queue is selected" in told(loaded.command("quarantine", "replay"), 2)
    assert "name row ids" in told(loaded.command("quarantine", "waive"), 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full: a Linux device that is always full")
def test_a_full_disk(loaded: Lake, tmp_path: Path) -> None:
    """A write that finds the disk full says so, publishes nothing, and the next run works."""
    script = "import sys; from tests.support.full_disk import main; main(sys.argv[1:])"
    environment = loaded.environment()
    done = subprocess.run([sys.executable, "-c", script, "run"], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "the disk is full" in told(done, 1)
    assert loaded.command("run", "--json").returncode == 0


def test_a_home_without_permission() -> None:
    """Says what cannot be used, and what to look at. Root may write anywhere, so root becomes another user first."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        script = (
            "import os, sys; from medflow.cli import _run; import medflow.cli.status, spark_jobs.pipeline, spark_jobs.due\n"
            "import medflow.lakehouse.lock, medflow.lakehouse.releases, medflow.sql.check, sqlalchemy.dialects.sqlite\n"
            "os.geteuid() or os.setuid(65534); sys.exit(_run(['status']))"
        )
        environment = Lake(Path(folder) / "lake").environment()
        done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=folder, capture_output=True, text=True, check=False)
        assert "permission" in told(done, 1).lower()


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    """Says what cannot be used."""
    (tmp_path / "lake").write_text("")
    told(Lake(tmp_path / "lake").command("status"), 1)


def test_an_unchanged_run_reads_ledger_and_hashes_only(loaded: Lake) -> None:
    """No engine and no table library is imported when there is nothing to do."""
    assert loaded.command("run", "--json").returncode == 0
    script = "import sys; from medflow.cli import _run; code = _run(['run']); print(sorted(set(sys.modules) & {'pyiceberg', 'duckdb', 'pyarrow', 'numpy'})); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", script], env=loaded.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_the_demo_never_mixes_with_real_claims(loaded: Lake) -> None:
    """A lake with a file of its own refuses the demo before anything is copied."""
    assert "give the demo a lake of its own" in told(loaded.command("demo"), 2)
    assert [path.name for path in loaded.landing.rglob("*") if path.is_file()] == ["1.csv"]
