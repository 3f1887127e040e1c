"""The API keeps to its own OpenAPI: Schemathesis sends what fits it and what does not, and looks at every reply."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.api.server import Server
from tests.support.counts import counted


def test_replies_are_as_declared(server: Server, tmp_path: Path) -> None:
    """No fault, no undeclared status, media type or field; what does not fit is refused."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--seed", "7", "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(counted(sample=25, whole=400))]
    # a well-formed option_id that nobody was offered is refused, as it must be
    command += ["--exclude-checks", "positive_data_acceptance", "--generation-database", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "17 selected / 17 total" in done.stdout
