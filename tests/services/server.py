"""A server as a process of ours: started with its log in a file, asked until it answers, paused, killed and ended by its own id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_ASK_AGAIN = 0.1
_END_WITHIN = 20.0
_LOG_LINES = 30


class NotReady(Exception):
    """The server does not answer yet."""


@dataclass
class Server:
    """A program that listens. `ready` raises NotReady (or OSError) until it answers; `user` runs it where we are root."""

    name: str
    command: Sequence[str]
    folder: Path
    ready: Callable[[], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    starts_within: float = 120.0
    end_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Begin, without waiting for an answer. Its children form a process group of their own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as said:
            self.process = subprocess.Popen(
                self.command,
                cwd="/" if self.user else self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user if self.user and os.getuid() == 0 else None,
            )

    def wait(self) -> None:
        """Until it answers.

        Raises:
            AssertionError: it has ended, or it does not answer in time; the end of its log is told.
        """
        latest = time.monotonic() + self.starts_within
        while True:
            try:
                return self.ready()
            except (NotReady, OSError) as error:
                assert self.process and self.process.poll() is None, f"{self.name} has ended:\n{self.last_words()}"
                assert time.monotonic() < latest, f"{self.name} does not answer ({error}):\n{self.last_words()}"
                time.sleep(_ASK_AGAIN)

    def stop(self) -> None:
        """End it in order; what does not end is killed."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, self.end_signal)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_END_WITHIN)
        self.kill()

    def kill(self) -> None:
        """As a power cut: the whole group at once."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def restart(self) -> None:
        """End it and start it anew, on the same port and folder."""
        self.stop()
        self.start()
        self.wait()

    def pause(self) -> None:
        """It is there, and does nothing."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process
        os.killpg(self.process.pid, signal.SIGCONT)

    def last_words(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_LINES:])


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Started and answering until the end of the block."""
    try:
        server.start()
        server.wait()
        yield server
    finally:
        server.stop()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def program(name: str, package: str, places: Iterable[Path] = ()) -> str:
    """The path of an installed program.

    Raises:
        AssertionError: it is not installed; which package has it.
    """
    found = shutil.which(name) or next((str(place / name) for place in places if (place / name).exists()), None)
    assert found, f"{name} is not installed: `make packages` installs Debian's {package}"
    return found


def answers(url: str, within: float = 2.0) -> Callable[[], None]:
    """Whether something answers at an address with a good status."""

    def ready() -> None:
        try:
            with urllib.request.urlopen(url, timeout=within):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            raise NotReady(str(error)) from None

    return ready


def listens(port: int) -> Callable[[], None]:
    """Whether something takes connections at a port of the loopback."""

    def ready() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return

    return ready
