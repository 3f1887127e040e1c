"""`medflow generate` as typed."""

import json

import pytest

from medflow.cli import main


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["generate", *map(str, arguments)])
    return ended.value.code


def test_json_summary(tmp_path, capsys):
    """--json tells where, how many claims and lines, which files, and how long."""
    assert run("--claims", 50, "--seed", 3, "--out", tmp_path / "s", "--defects", 0.1, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"out", "claims", "files", "lines", "seconds"}
    assert told["claims"] == 50 and told["lines"] >= 50 and len(told["files"]) == 3


def test_human_summary(tmp_path, capsys):
    """Without --json, a few lines say what was written, what is wrong in it, and what to do next."""
    assert run("--claims", 50, "--seed", 3, "--out", tmp_path / "s", "--as-of", "2025-12-31", "--damage", "empty", "--defects", 0.1) == 0
    out, err = capsys.readouterr()
    assert "50 claims" in out and "medflow land" in out and "empty_file" in out and "quarantine" in out and err == ""
    assert (tmp_path / "s/bluecross/bluecross_claims_2025-12-31.csv").read_bytes() == b""


@pytest.mark.parametrize("wrong", [("--damage", "coffee"), ("--defects", "0.9"), ("--days", "0"), ("--as-of", "soon")])
def test_wrong_usage_ends_with_2(tmp_path, capsys, wrong):
    """A wrong argument ends with code 2 and one message."""
    assert run("--claims", 5, "--seed", 3, "--out", tmp_path / "s", *wrong) == 2
    assert capsys.readouterr().err.startswith("medflow: ")
