"""Where reader files lie, and that the one a query needs is there: HOME/readers/<release>/<policy hash>.duckdb, and beside it a
`.json` with what it was built for and the rows of each table. Built at first use, in a process of its own; never changed after,
unless the release of its number is another lake's: then it is built again."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from medflow.lakehouse.releases import Release, ReleasedTable, read_release, release_stamp
from medflow.lakehouse.storage import Storage
from medflow.settings import Settings
from rag_backend.engines.base import Cancellation, EngineUnavailable, ReadPolicy

FOLDER = "readers"
RELEASES_KEPT = 3
_BUILD_SECONDS = 900
_GLANCE_SECONDS = 0.05
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ReaderFile:
    """A built reader file, and the rows of each table in it."""

    path: Path
    rows: Mapping[str, int]


class ReaderFiles:
    """The reader files of one lake."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder, self._storage = settings.home / FOLDER, Storage.of(settings)
        self._lock = threading.Lock()
        self._builds: dict[Path, Future[None]] = {}
        self._made: dict[int, str] = {}  # release -> when it was made, which tells releases of two lakes apart
        self._builder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader-file")

    def ensure(self, release: int, policy: ReadPolicy, cancel: Cancellation) -> ReaderFile:
        """The reader file of this release and policy, built first if there is none. A build goes on if who waits for it gives up.

        Raises:
            QueryCancelled: while waiting for the build.
            EngineUnavailable: it cannot be built, or was built for other grants.
            UsageError: there is no such release, or it is no longer kept.
            CatalogError: the catalog cannot be read.
        """
        path = self._path(release, policy)
        if not self._is_built(path, release):
            build = self._build_of(path, release, policy)
            while not build.done():
                cancel.raise_if_cancelled()
                with suppress(NotYet, CancelledError):
                    build.exception(_GLANCE_SECONDS)
            if build.cancelled():
                raise EngineUnavailable("the query engine was closed before it had built the reader file; ask again")
            build.result()
        return _described(path, policy)

    def close(self) -> None:
        """Begin no further build; one that runs ends by itself."""
        self._builder.shutdown(wait=False, cancel_futures=True)

    def _path(self, release: int, policy: ReadPolicy) -> Path:
        if not re.fullmatch(r"[0-9a-f]{8,64}", policy.hash):
            raise EngineUnavailable("a policy's hash must be 8 to 64 hexadecimal digits")
        return self._folder / str(int(release)) / f"{policy.hash}.duckdb"

    def _is_built(self, path: Path, release: int) -> bool:
        return path.exists() and _description(path).get("made") == self._made_at(release)

    def _made_at(self, release: int) -> str:
        if release not in self._made:
            with self._catalog() as catalog:
                self._made[release] = release_stamp(catalog, release)[1].isoformat()
        return self._made[release]

    @contextmanager
    def _catalog(self) -> Iterator[Engine]:
        from medflow.lakehouse.database import connect

        engine = connect(self._settings.catalog, create=False)
        try:
            yield engine
        finally:
            engine.dispose()

    def _build_of(self, path: Path, release: int, policy: ReadPolicy) -> Future[None]:
        """The one build of this file that this process runs."""
        with self._lock:
            if path not in self._builds:
                self._builds[path] = self._builder.submit(self._build, path, release, policy)
            return self._builds[path]

    def _build(self, path: Path, release: int, policy: ReadPolicy) -> None:
        try:
            self._build_once(path, release, policy)
        finally:
            with self._lock:
                del self._builds[path]

    def _build_once(self, path: Path, release: int, policy: ReadPolicy) -> None:
        if self._is_built(path, release):
            return
        path.unlink(missing_ok=True)  # of another lake: gone before the new description stands
        with self._catalog() as catalog:
            order = _order(read_release(catalog, release, self._storage), policy)
        limits = {"memory": self._settings.memory, "threads": self._settings.cores}
        place = {"path": str(path), "storage": asdict(self._storage), "made": self._made_at(release), **limits}
        _run_builder(order | place)
        _clear_old(self._folder, built=release)


def _order(release: Release, policy: ReadPolicy) -> dict[str, Any]:
    """What the builder is told: of each readable table its readable columns and its files, and nothing about any other."""
    grants = _grants(policy)
    tables = [_granted(name, release.tables[name], grants[name]) for name in grants if name in release.tables]
    return {"grants": grants, "tables": [table for table in tables if table["columns"]]}


def _granted(name: str, table: ReleasedTable, columns: list[str]) -> dict[str, Any]:
    # a column that this release does not have yet is left out, as a table is: asking for it then fails by name
    chosen = [{"name": column.name, "type": column.type} for column in table.columns if column.name in columns]
    return {"name": name, "columns": chosen, "files": table.files, "rows": table.records}


def _grants(policy: ReadPolicy) -> dict[str, list[str]]:
    return {name: sorted(columns) for name, columns in sorted(policy.tables.items())}


def _run_builder(order: dict[str, Any]) -> None:
    command = [sys.executable, "-s", "-m", "rag_backend.engines.duckdb_reader"]
    try:
        ended = subprocess.run(
            command, input=json.dumps(order).encode(), capture_output=True, cwd=_ROOT, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(f"a reader file was not built within {_BUILD_SECONDS} s; ask again when the machine is idle") from None
    if ended.returncode:
        told = ended.stdout.decode(errors="replace").strip() or "its process ended without a word; is there enough memory and disk?"
        raise EngineUnavailable(f"the reader file of this release cannot be built: {told}")


def _described(path: Path, policy: ReadPolicy) -> ReaderFile:
    built = _description(path)
    if built["grants"] != _grants(policy):  # two policies of one hash: fail closed rather than show the one what the other may see
        raise EngineUnavailable(f"the reader file {path} was built for other grants than the policy of this name gives; remove it")
    return ReaderFile(path, built["rows"])


def _description(path: Path) -> dict[str, Any]:
    try:
        built: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise EngineUnavailable(f"the description of {path} is gone or damaged; remove both, they are built again") from None
    return built


def _clear_old(folder: Path, built: int) -> None:
    """Remove the reader files of all but the last releases. Whoever has one open goes on reading it: its name goes, not its content."""
    releases = sorted((int(entry.name) for entry in folder.iterdir() if entry.name.isdigit()), reverse=True)
    for number in releases[RELEASES_KEPT:]:
        if number != built:
            shutil.rmtree(folder / str(number), ignore_errors=True)
