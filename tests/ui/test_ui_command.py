"""`medflow ui`: both servers by one command, on sample data where there is none; they end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from medflow.cli.console import read_json
from tests.api.test_service import until
from tests.support.lake import Lake

_COMMAND = [sys.executable, "-m", "medflow", "ui", "--port", "0", "--api-port", "0", "--json"]


def begun(lake: Lake, *more: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """The command, once it has told its addresses."""
    process = subprocess.Popen([*_COMMAND, *more], env=lake.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    told = read_json(process.stdout)
    assert told, process.communicate()[1]
    return process, told


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def children(process: subprocess.Popen[str]) -> dict[str, int]:
    """The servers' process ids by name."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            line = (path.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(fields[1]) == process.pid:
            found["page" if b"streamlit" in line else "api"] = int(path.parent.name)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_begin_and_end_together(small: Lake, number: signal.Signals) -> None:
    """With the role that was named; a signal ends both, without a word of complaint."""
    process, told = begun(small, "--role", "business")
    assert told["role"] == "business"
    assert is_up(told["url"])
    assert httpx.get(f"{told['api_url']}/examples", timeout=60, trust_env=False).json()["role"] == "business"
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert not is_up(told["url"])
    assert not is_up(f"{told['api_url']}/health")


@pytest.mark.parametrize(("ended", "other"), [("api", "page"), ("page", "API")])
def test_one_ends_with_the_other(small: Lake, ended: str, other: str) -> None:
    """Exit code 1 and a message; nothing is left running."""
    process, told = begun(small)
    os.kill(children(process)[ended], signal.SIGKILL)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"so the {other} was ended too" in complaint
    assert until(lambda: not is_up(told["url"]) and not is_up(f"{told['api_url']}/health"))


def test_an_empty_lake_gets_the_sample(lake: Lake) -> None:
    """Then there is a release to ask."""
    process, told = begun(lake)
    try:
        assert httpx.get(f"{told['api_url']}/ready", timeout=60, trust_env=False).json()["release"] == 1
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_taken_port_is_told(small: Lake) -> None:
    """Before anything is started."""
    process, told = begun(small)
    try:
        port = told["url"].rpartition(":")[2]
        done = small.command("ui", "--port", port)
        assert done.returncode == 2
        assert f"port {port} cannot be used" in done.stderr
        assert "--port" in done.stderr
    finally:
        process.terminate()
        process.communicate(timeout=60)
