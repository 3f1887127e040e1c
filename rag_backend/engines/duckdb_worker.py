"""The process that runs SQL on one reader file: it can read nothing else, write nothing, reach nothing, and has no secret to tell.

Started with an empty environment. Messages come on its standard input: first what to open, then queries and cancellations; replies
leave on its standard output. It ends when the input does. It stands alone: DuckDB, and nothing of the product but the pipe's form.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import duckdb

from rag_backend.engines.cells import described, outward
from rag_backend.engines.frames import framed, packed, read_message

RESULT_BYTES = 64 << 20
_BESIDE_QUERIES = 512 << 20  # address space for Python and a result on its way out
_FILES_OPEN = 64
_ROWS_AT_ONCE = 1000
_SECONDS_TO_SPARE = 2

# The first class that fits. DuckDB's own text never leaves: it can quote a cell, a path or a name.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (duckdb.InterruptException, "interrupted"),
    (duckdb.OutOfMemoryException, "memory"),
    (MemoryError, "memory"),
    (duckdb.ParserException, "syntax"),
    (duckdb.SyntaxException, "syntax"),
    (duckdb.CatalogException, "unknown_name"),
    (duckdb.BinderException, "types"),
    (duckdb.ConversionException, "conversion"),
    (duckdb.OutOfRangeException, "out_of_range"),
    (duckdb.PermissionException, "not_allowed"),
    (duckdb.IOException, "not_allowed"),
    (duckdb.NotImplementedException, "unsupported"),
    (duckdb.InvalidInputException, "types"),
)


class _Utc(tzinfo):
    """What DuckDB asks pytz for to hand over an instant: the session's zone, here always UTC."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return "UTC"

    def localize(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC)


class Refused(Exception):
    """A query that ends without a table; the reason is one of a closed list of words."""


class Session:
    """One database, one query at a time, and a second thread that listens for its cancellation."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._running: tuple[int, duckdb.DuckDBPyConnection] | None = None
        self._cancelled = 0
        self._usable = True

    def listen(self) -> None:
        """Take messages until the asker is gone; then end at once, whatever runs."""
        while message := read_message(sys.stdin.buffer):
            if "cancel" in message:
                self._interrupt(message["cancel"])
            else:
                self._asked.put(message)
        os._exit(0)

    def serve(self) -> None:
        """Answer queries one after the other, as long as the database is sound."""
        while self._usable:
            reply = self._answer(self._asked.get())
            sys.stdout.buffer.write(reply)
            sys.stdout.buffer.flush()

    def _answer(self, asked: dict[str, Any]) -> bytes:
        _limit_cpu(asked["cpu_s"])
        connection = self._database.cursor()  # a connection of its own: nothing of a query outlives it
        try:
            with self._turn:
                if self._cancelled == asked["id"]:
                    raise Refused("interrupted")
                self._running = asked["id"], connection
            return _result(connection, asked["sql"], asked["rows"])
        except Refused as refusal:
            return packed({"failed": str(refusal)})
        except Exception as error:
            self._usable = not isinstance(error, (duckdb.FatalException, duckdb.InternalException))
            return packed({"failed": _reason(error)})
        finally:
            with self._turn:
                self._running = None
            connection.close()

    def _interrupt(self, number: int) -> None:
        with self._turn:
            self._cancelled = number
            if self._running and self._running[0] == number:
                self._running[1].interrupt()


def open_reader(file: Path, *, memory: int, threads: int) -> duckdb.DuckDBPyConnection:
    """The reader file, locked in: read-only, no file or network system, no extension, no setting that can be changed.

    Raises:
        duckdb.Error: the file is gone or is no reader file.
    """
    locked: dict[str, Any] = {"enable_external_access": False, "autoload_known_extensions": False, "autoinstall_known_extensions": False}
    locked |= {"allow_community_extensions": False, "allow_persistent_secrets": False, "python_enable_replacements": False}
    os.chdir(file.parent)  # so that DuckDB knows, and tells, a file's name only
    database = duckdb.connect(file.name, read_only=True, config=locked | {"temp_directory": "", "threads": threads})
    database.execute(f"SET memory_limit = '{memory}B'")
    for setting, value in {"TimeZone": "UTC", "disabled_filesystems": "LocalFileSystem", "lock_configuration": "true"}.items():
        database.execute(f"SET {setting} = '{value}'")
    os.chdir("/")
    return database


def limit_process(memory: int) -> None:
    """What the kernel holds this process to: no file written, no dump, and `memory` bytes beyond what it uses now."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES_OPEN, _FILES_OPEN))
    if sys.platform == "linux":  # elsewhere the kernel counts address space otherwise: DuckDB's own limit remains
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = used + memory + _BESIDE_QUERIES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _limit_cpu(seconds: float) -> None:
    """Let the kernel end this process when it has computed `seconds` more: the asker may be gone."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    most = int(spent.ru_utime + spent.ru_stime + seconds) + _SECONDS_TO_SPARE
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def _result(connection: duckdb.DuckDBPyConnection, sql: str, limit: int) -> bytes:
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Refused("not_allowed")
    result = connection.execute(statements[0])
    columns = [(name, *described(kind)) for name, kind, *_ in result.description or []]
    head = json.dumps(columns, ensure_ascii=False)
    texts, size, found = [], len(head), 0
    for chunk in _chunks(result, limit + 1):
        kept = chunk[: limit - found]
        found += len(chunk)
        text = _encoded(kept, [outward(shape) for _, _, shape in columns])
        size += len(text)
        if size > RESULT_BYTES:
            raise Refused("result_size")
        texts.append(text)
    body = b",".join(text for text in texts if text)
    return framed(b'{"columns":%b,"truncated":%b,"rows":[%b]}' % (head.encode(), b"true" if found > limit else b"false", body))


def _chunks(result: duckdb.DuckDBPyConnection, most: int) -> Iterator[list[tuple[Any, ...]]]:
    while most > 0 and (chunk := result.fetchmany(min(most, _ROWS_AT_ONCE))):
        most -= len(chunk)
        yield chunk


def _encoded(rows: list[tuple[Any, ...]], convert: list[Any]) -> bytes:
    """Rows as the inside of a JSON array."""
    if any(convert):
        cells = [[change(cell) if change else cell for change, cell in zip(convert, row, strict=True)] for row in rows]
        return json.dumps(cells, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()


def _reason(error: Exception) -> str:
    if "bad_alloc" in str(error):
        return "memory"
    return next((word for kind, word in _REASONS if isinstance(error, kind)), "engine")


def main() -> None:
    """Open what the first message names, say so, and serve."""
    order = read_message(sys.stdin.buffer)
    if order is None:
        return
    zone = types.ModuleType("pytz")
    zone.timezone = lambda _name: _Utc()  # type: ignore[attr-defined]
    sys.modules["pytz"] = zone
    try:
        database = open_reader(Path(order["file"]), memory=order["memory"], threads=order["threads"])
    except duckdb.Error:
        sys.stdout.buffer.write(packed({"failed": "reader"}))
        sys.stdout.buffer.flush()
        return
    session = Session(database)
    threading.Thread(target=session.listen, daemon=True).start()
    limit_process(order["memory"])
    sys.stdout.buffer.write(packed({"ready": os.getpid()}))
    sys.stdout.buffer.flush()
    session.serve()


if __name__ == "__main__":
    main()
