"""The scripted server on loopback: what it was sent is kept byte for byte, without the key; how it answers may be slow or cut off."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from rag_backend.model.scripted.desk import Desk, Sent
from rag_backend.model.scripted.script import Rule, Script
from rag_backend.model.scripted.wire import Limits

KEY = "scripted-key"
_SECRET = frozenset(("authorization", "x-api-key", "cookie"))
_LOOK_S = 0.02

Sleep = Callable[[float], None]


@dataclass
class Recorded:
    """One request: `call` counts those that broke no rule, 0 = refused. `left`: the client closed the connection before the end."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 0
    call: int = 0
    left: bool = False

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class ScriptedModel:
    """The server as a context manager. `sleep` replaces the waiting of slow replies; without it closing ends them at once."""

    def __init__(
        self, script: Script | Sequence[Rule] = (), *, limits: Limits | None = None, port: int = 0, sleep: Sleep | None = None
    ) -> None:
        given = script if isinstance(script, Script) else Script(rules=tuple(script))
        self.key = KEY
        self._desk = Desk(given, limits or Limits(), KEY)
        self._most_bytes = (limits or Limits()).most_bytes
        self._sleep = sleep
        self._requests: list[Recorded] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)

    @property
    def url(self) -> str:
        """What MEDFLOW_MODEL_BASE_URL is set to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> tuple[Recorded, ...]:
        """Every request so far, in the order in which they were read."""
        with self._lock:
            return tuple(self._requests)

    def start(self) -> None:
        """Begin to answer, in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, args=(_LOOK_S,), name="scripted-model", daemon=True).start()

    def close(self) -> None:
        """End at once: slow replies are cut off, connections closed."""
        self._closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> ScriptedModel:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Recorded, Sent]:
        """Keep a request and decide what it gets."""
        recorded = Recorded(path, {name: value for name, value in headers.items() if name not in _SECRET}, body)
        with self._lock:
            self._requests.append(recorded)
        sent = self._desk.answered(path, headers, body)
        recorded.status, recorded.call = sent.status, sent.call
        return recorded, sent

    @property
    def longest(self) -> int:
        """Bytes of a body that are read; one more tells that there are too many."""
        return self._most_bytes + 1

    def wait(self, seconds: float, client: socket.socket) -> None:
        """Wait, unless the server closes.

        Raises:
            ConnectionError: the client is gone, or the server closes.
        """
        if self._sleep is not None and seconds:
            self._sleep(seconds)
            return
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            if self._closing.wait(min(left, _LOOK_S)) or _is_gone(client):
                raise ConnectionError


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], model: ScriptedModel) -> None:
        self.model = model
        self.open: set[socket.socket] = set()
        super().__init__(address, _Exchange)

    def hang_up(self) -> None:
        """Close every connection."""
        for connection in list(self.open):
            _close(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no event."""


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: a question may stand in it."""

    def do_POST(self) -> None:
        """Every call of the Messages API."""
        length = self.headers.get("content-length", "0")
        wanted = int(length) if length.isdigit() else 0
        body = self.rfile.read(min(wanted, self.server.model.longest))
        if len(body) < wanted:
            self.close_connection = True
        recorded, sent = self.server.model.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            self._deliver(sent)
        except ConnectionError:
            recorded.left = _is_gone(self.connection)
            self._cut()

    def _deliver(self, sent: Sent) -> None:
        self.server.model.wait(sent.rule.first_byte_s, self.connection)
        if sent.rule.hangs_up:
            self._cut()
            return
        self._head(sent)
        for place, piece in enumerate(sent.pieces):
            self.server.model.wait(sent.rule.between_s, self.connection)
            if sent.rule.cut_after == place:
                self._write(piece, sent, len(piece) // 2)
                self._cut()
                return
            self._write(piece, sent, len(piece))
        if sent.streamed:
            self.wfile.write(b"0\r\n\r\n")

    def _head(self, sent: Sent) -> None:
        self.send_response_only(sent.status)
        self.send_header("content-type", sent.content_type)
        self.send_header("request-id", f"req_{sent.call}")
        for name, value in sent.headers.items():
            self.send_header(name, value)
        if sent.streamed:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(sum(map(len, sent.pieces))))
        self.end_headers()

    def _write(self, piece: bytes, sent: Sent, count: int) -> None:
        """So many bytes of a piece; the length that goes before it promises all."""
        if sent.streamed:
            self.wfile.write(b"%x\r\n" % len(piece) + piece[:count] + (b"\r\n" if count == len(piece) else b""))
        else:
            self.wfile.write(piece[:count])

    def _cut(self) -> None:
        self.close_connection = True
        _close(self.connection)


def _is_gone(client: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    try:
        readable, _, _ = select.select([client], [], [], 0)
        return bool(readable) and client.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
