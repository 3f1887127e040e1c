"""The real command, stopped (SIGSTOP) at a named point of its work, and let go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

_PATIENCE_S = 120


def stopped_at(point: str, environment: Mapping[str, str], *command: str) -> subprocess.Popen[str]:
    """A command of `medflow` that has stopped itself at a point of tests/support/crash.py.

    Raises:
        AssertionError: it never came there.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.crash", f"stop:{point}", "--", *command],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        _, status = os.waitpid(child.pid, os.WUNTRACED | os.WNOHANG)
        if status and os.WIFSTOPPED(status):
            return child
        time.sleep(0.05)
    child.kill()
    raise AssertionError(f"the command never came to {point}: {child.communicate()[1]}")


def continued(child: subprocess.Popen[str], within: float = _PATIENCE_S) -> tuple[int, str]:
    """Let it go on to its end: exit code and standard error."""
    child.send_signal(signal.SIGCONT)
    _, told = child.communicate(timeout=within)
    return child.returncode, told
