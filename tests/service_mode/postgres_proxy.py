"""A proxy before Postgres that understands as much of the protocol as it takes to count transactions and to lose the reply to one COMMIT."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.lost_replies import Loss

_START_UP = 196608  # protocol 3.0; other numbers of a first message ask for encryption, which the server declines in one byte
_QUERY = b"Q"


@dataclass
class Counted:
    """The transactions of one block, numbered by their BEGIN, over all connections; the loss, once it has come, has come."""

    loss: Loss | None
    note: Callable[[int], None]
    lost: bool = False
    _begun: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> int:
        with self._lock:
            self._begun += 1
            number = self._begun
        if self.loss and self.loss.begin == number and self.loss.before_begin:
            self.loss.before_begin()
        return number

    def is_lost(self, number: int) -> bool:
        return self.loss is not None and self.loss.begin == number


@dataclass
class _Connection:
    """One client and its session at the server; `committing` is the transaction whose COMMIT the server has not answered yet."""

    client: socket.socket
    server: socket.socket
    begun: int = 0
    committing: int = 0
    answered: threading.Event = field(default_factory=threading.Event)

    def cut(self) -> None:
        for one in (self.client, self.server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class PostgresProxy:
    """Listens on a port of its own for one server; hands everything on, but for what the block in `watched` loses."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._counted: Counted | None = None
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @contextmanager
    def watched(self, loss: Loss | None, note: Callable[[int], None]) -> Iterator[Counted]:
        """Count, and disturb, for the time of the block."""
        self._counted = Counted(loss, note)
        try:
            yield self._counted
        finally:
            self._counted = None

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                one = _Connection(client, server)
                for side in (self._from_client, self._from_server):
                    threading.Thread(target=side, args=(one,), name="proxy", daemon=True).start()

    def _from_client(self, one: _Connection) -> None:
        try:
            while _start_up(one) != _START_UP:
                continue
            while True:
                kind, body = _message(one.client)
                if kind == _QUERY and not self._handed_on(one, body):
                    return
                one.server.sendall(kind + struct.pack("!I", len(body) + 4) + body)
        except OSError:
            one.cut()

    def _handed_on(self, one: _Connection, body: bytes) -> bool:
        """Whether a query goes on to the server as it is."""
        counted, said = self._counted, body.rstrip(b"\0").strip().upper()
        if counted is None:
            return True
        if said.startswith(b"BEGIN"):
            one.begun = counted.begin()
        elif said == b"COMMIT" and not counted.is_lost(one.begun):
            one.committing = one.begun
        elif said == b"COMMIT":
            self._lose(one, counted)
            return False
        return True

    def _lose(self, one: _Connection, counted: Counted) -> None:
        """The server has done it or not; the client is told nothing either way."""
        assert counted.loss
        counted.lost = True
        one.committing = -1  # what the server says from here on is handed to nobody
        if counted.loss.landed:
            one.server.sendall(_QUERY + struct.pack("!I", 11) + b"COMMIT\0")
            assert one.answered.wait(30), "the server does not answer a COMMIT"
        with suppress(OSError):
            one.server.shutdown(socket.SHUT_RDWR)
        if counted.loss.after_commit:
            counted.loss.after_commit()
        one.cut()

    def _from_server(self, one: _Connection) -> None:
        with suppress(OSError):
            while said := one.server.recv(1 << 16):
                if one.committing < 0:
                    one.answered.set()
                    return
                if one.committing:
                    number, one.committing = one.committing, 0
                    if self._counted:
                        self._counted.note(number)
                one.client.sendall(said)
        if one.committing >= 0:
            one.cut()


def _start_up(one: _Connection) -> int:
    """A first message, without a letter for its kind; its number."""
    (length,) = struct.unpack("!I", _exactly(one.client, 4))
    body = _exactly(one.client, length - 4)
    one.server.sendall(struct.pack("!I", length) + body)
    number: int = struct.unpack("!I", body[:4])[0]
    return number


def _message(source: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(source, 1)
    (length,) = struct.unpack("!I", _exactly(source, 4))
    return kind, _exactly(source, length - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    """Raises ConnectionError: the client has gone."""
    read = b""
    while len(read) < count:
        more = source.recv(count - len(read))
        if not more:
            raise ConnectionError("the client has gone")
        read += more
    return read
