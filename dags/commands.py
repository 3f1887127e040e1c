"""A command of ours as a task: a process of its own, its messages in the task's log, its one JSON value kept to ids and counts.

Secrets reach the process by the environment of Airflow's worker, and by nothing else. Never reads or writes data.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

WAIT = "--wait=600"  # seconds; for a writer that is at work: a person's command, or what a killed task left behind
RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2.0,  # Airflow spreads each delay over once to twice its length, by a hash of run and task
    "max_retry_delay": timedelta(minutes=5),
}
USAGE, REFUSED = 2, 3  # exit codes of medflow/errors.py that no retry mends
_LAST_WORDS = 20
_NOT_GIVEN = re.compile(r"--[a-z-]+=(None)?")


@dataclass(frozen=True)
class Ended:
    """A command's end: exit code, what it printed, the last lines of what it said beside."""

    code: int
    printed: str
    said: str

    @property
    def value(self) -> dict[str, Any]:
        """Its JSON; empty if it printed none."""
        try:
            value = json.loads(self.printed)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Command:
    """A process in a group of its own, which can be ended as a whole."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.arguments = [sys.executable, "-m", *arguments]
        self._process: subprocess.Popen[str] | None = None

    def run(self, hear: Callable[[str], None]) -> Ended:
        """Run it to its end; `hear` gets each line of its standard error as it comes."""
        self._process = subprocess.Popen(
            self.arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        last: deque[str] = deque(maxlen=_LAST_WORDS)
        assert self._process.stdout and self._process.stderr
        said = self._process.stderr
        listener = threading.Thread(target=_listen, args=(said, last, hear), daemon=True)
        listener.start()
        printed = self._process.stdout.read()
        code = self._process.wait()
        listener.join()
        return Ended(code, printed, "\n".join(last))

    def kill(self) -> None:
        """End the process and all that it started."""
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _listen(said: Any, last: deque[str], hear: Callable[[str], None]) -> None:
    for line in said:
        last.append(line.rstrip())
        hear(line.rstrip())


def checked(ended: Ended, name: str) -> dict[str, Any]:
    """The value of a command that went well.

    Raises:
        AirflowFailException: the gate refused, or a person must act: no retry mends it.
        AirflowException: it failed; it can be run again.
    """
    value = ended.value
    if ended.code == 0:
        return value
    if value.get("rejected") and value.get("batch_id") is None:
        raise AirflowFailException(f"all {value['rejected']} files were rejected; nothing was taken. `medflow files list` says why")
    told = ended.said or f"{name} said nothing"
    if ended.code in (USAGE, REFUSED):
        raise AirflowFailException(told)
    raise AirflowException(f"{name} ended with {ended.code}: {told}")


class CommandOperator(BaseOperator):
    """Runs `python -m ARGUMENTS`; returns what `keep` leaves of its JSON.

    `before` tells from the run, `nothing` from the value, why there is nothing to do: then the task, and what hangs on it, is skipped.
    `optional`: a failure that retries do not mend is a warning and a skipped task. Its outlets hear of the release's number.
    """

    template_fields: Sequence[str] = ("arguments",)

    def __init__(
        self,
        *,
        arguments: Sequence[Any],
        keep: Callable[[Mapping[str, Any]], dict[str, Any]],
        nothing: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
        before: Callable[[Context], str | None] = lambda _: None,
        optional: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.arguments = list(arguments)
        self.keep, self.nothing, self.before = keep, nothing, before
        self.optional = optional
        self._command: Command | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Raises AirflowSkipException: there was nothing to do, or what is optional failed."""
        if because := self.before(context):
            raise self._skipped(because)
        try:
            value = self.value(context)
        except AirflowException as error:
            if self.optional and context["ti"].try_number > (context["ti"].max_tries or 0):
                self.log.warning("%s", error)
                raise self._skipped(f"{self.task_id} failed; the release stands, and is read without it") from None
            raise
        if because := self.nothing(value):
            raise self._skipped(because)
        kept = self.keep(value)
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"release": kept.get("release")}
        return kept

    def _skipped(self, because: str) -> AirflowSkipException:
        self.log.info("%s", because)  # Airflow logs that a task was skipped, and not why
        return AirflowSkipException(because)

    def value(self, context: Context) -> dict[str, Any]:
        """Run the command. Raises as `checked`."""
        self._command = Command(flat(self.arguments))
        return checked(self._command.run(self.log.info), self.task_id)

    def on_kill(self) -> None:
        """The task is stopped: its process, too."""
        if self._command:
            self._command.kill()


def flat(arguments: Sequence[Any]) -> list[str]:
    """Arguments as texts: a list stands for its parts, and an option whose value is not given (`--payer=None`) is left out."""
    found: list[str] = []
    for argument in arguments:
        found += flat(argument) if isinstance(argument, (list, tuple)) else [str(argument)]
    return [text for text in found if not _NOT_GIVEN.fullmatch(text)]


def only(*names: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Keep these parts of a value."""
    return lambda value: {name: value[name] for name in names if name in value}
