"""The ledger: which files were seen, which batches ran, which releases stand. Says what is to do; does none of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, bindparam, insert, or_, select, update

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse.batch_ids import FileKey
from medflow.lakehouse.database import writing
from medflow.lakehouse.ledger_entries import BatchEntry, BatchKind, BatchState, FileEntry, FileState, ReleaseEntry, SeenFile
from medflow.lakehouse.ledger_tables import BATCHES, EXPIRED, FILES, RELEASE_FILES, RELEASES, WAIVERS, create_ledger

_UNFINISHED: tuple[FileState, ...] = ("discovered", "bronze", "silver", "gated")
_WAITING: tuple[FileState, ...] = (*_UNFINISHED, "rejected", "refused", "withdrawn")
_FIXED = ("payer", "sha256", "name", "bytes", "ingest_date")


class Ledger:
    """The ledger in the catalog database behind `engine`; its tables are made if missing."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        create_ledger(engine)

    # --- files ---

    def see(self, files: Iterable[SeenFile], ingest_date: date) -> list[FileEntry]:
        """Enter the files never seen as discovered on `ingest_date`; the entries of all given, each once."""
        wanted = {(file.payer, file.sha256): file for file in files}
        known = {entry.key: entry for entry in self.files()}
        fresh = [FileEntry(**asdict(file), ingest_date=ingest_date) for key, file in wanted.items() if key not in known]
        if fresh:
            with writing(self.engine) as connection:
                connection.execute(insert(FILES), [asdict(entry) for entry in fresh])
        known |= {entry.key: entry for entry in fresh}
        return [known[key] for key in wanted]

    def files(self, payer: str | None = None, state: FileState | None = None) -> list[FileEntry]:
        """Files, optionally of one payer or in one state, by payer and hash."""
        wanted = [column == value for column, value in ((FILES.c.payer, payer), (FILES.c.state, state)) if value]
        return self._files(and_(True, *wanted))

    def find(self, prefix: str) -> FileEntry:
        """The file whose hash begins so; `payer:prefix` where two payers sent the same file.

        Raises:
            UsageError: none, or more than one.
        """
        payer, _, start = prefix.rpartition(":")
        found = [entry for entry in self.files(payer or None) if start and entry.sha256.startswith(start.lower())]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(f"no file in the ledger has a hash that begins with {prefix!r}; `medflow files list` shows them")
        names = ", ".join(f"{entry.payer}:{entry.sha256[:12]} ({entry.name})" for entry in found[:5])
        raise UsageError(f"{prefix!r} is the beginning of {len(found)} files; give more of it: {names}")

    def candidates(self, declarations: Mapping[str, str]) -> list[FileEntry]:
        """What a run would take: never finished, refused or released for retry, and rejected under another declaration.

        `declarations` is the hash of each payer's declaration now. A rejection by a person names none and stands.
        """
        changed = [and_(FILES.c.payer == payer, FILES.c.declarations != now) for payer, now in declarations.items()]
        mended = and_(FILES.c.state == "rejected", or_(False, *changed))
        return self._files(or_(FILES.c.state.in_((*_UNFINISHED, "refused")), FILES.c.retry.is_(True), mended))

    def record(self, entries: Sequence[FileEntry]) -> None:
        """Write back entries changed with `dataclasses.replace`; name, size and ingest date stay as first seen."""
        if not entries:
            return
        changing = [column.name for column in FILES.c if column.name not in _FIXED]
        statement = (
            update(FILES)
            .where(FILES.c.payer == bindparam("of_payer"), FILES.c.sha256 == bindparam("of_sha256"))
            .values({name: bindparam(f"new_{name}") for name in changing})
        )
        rows = [
            {"of_payer": entry.payer, "of_sha256": entry.sha256, **{f"new_{name}": getattr(entry, name) for name in changing}}
            for entry in entries
        ]
        with writing(self.engine) as connection:
            connection.execute(statement, rows)

    def set_states(self, files: Iterable[FileKey], state: FileState, batch_id: str | None = None) -> None:
        """Move files to a state, for a batch if given; a state once taken ends a retry."""
        values: dict[str, Any] = {"state": state, "retry": False} | ({"batch_id": batch_id} if batch_id else {})
        with writing(self.engine) as connection:
            for key in files:
                _update_file(connection, key, values)

    def exclude(self, prefix: str, reason: str) -> FileEntry:
        """A person leaves a file out; again, with another reason. Raises UsageError: unknown, ambiguous, or in a release."""
        return self._decide(prefix, "exclude", (*_WAITING, "excluded"), {"state": "excluded", "reason_code": "excluded", "reason": reason})

    def reject(self, prefix: str, reason: str) -> FileEntry:
        """A person rejects a file; no changed declaration revives it. Raises UsageError as `exclude`."""
        verdict = {"state": "rejected", "reason_code": "by_hand", "reason": reason, "declarations": None}
        return self._decide(prefix, "reject", _WAITING, verdict)

    def retry(self, prefix: str) -> FileEntry:
        """Release a rejected, refused, excluded or withdrawn file for the next run. Raises UsageError as `exclude`."""
        return self._decide(prefix, "retry", ("rejected", "refused", "excluded", "withdrawn"), {"retry": True})

    def _decide(self, prefix: str, action: str, allowed: Collection[FileState], values: Mapping[str, Any]) -> FileEntry:
        entry = self.find(prefix)
        if entry.state not in allowed:
            raise UsageError(
                f"cannot {action} {entry.name} of {entry.payer}: it is {entry.state}; allowed for {', '.join(allowed)}"
                + ("; `medflow releases restore N` takes it back first" if entry.state == "published" else "")
            )
        changed = replace(entry, **{"retry": False, **values})
        self.record([changed])
        return changed

    def _files(self, condition: ColumnElement[bool]) -> list[FileEntry]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(FILES).where(condition).order_by(FILES.c.payer, FILES.c.sha256)).all()
        return [FileEntry(**{**row._asdict(), "warnings": tuple(row.warnings)}) for row in rows]

    # --- batches ---

    def start_batch(self, batch: BatchEntry) -> None:
        """Enter a batch as given, or take up again the one of the same id."""
        with writing(self.engine) as connection:
            values = asdict(batch)
            if not connection.execute(update(BATCHES).where(BATCHES.c.batch_id == batch.batch_id).values(values)).rowcount:
                connection.execute(insert(BATCHES).values(values))

    def end_batch(self, batch_id: str, state: BatchState, result: Mapping[str, Any], message: str | None = None) -> None:
        """Close a batch that is not published: refused or failed, with what it found and why."""
        with writing(self.engine) as connection:
            _update_batch(connection, batch_id, {"state": state, "result": dict(result), "message": message})

    def batch(self, batch_id: str) -> BatchEntry | None:
        """The batch of this id, if it ever began."""
        with self.engine.connect() as connection:
            row = connection.execute(select(BATCHES).where(BATCHES.c.batch_id == batch_id)).one_or_none()
        return BatchEntry(**row._asdict()) if row else None

    def statistics(self, payer: str, last: int) -> list[Mapping[str, Any]]:
        """`result["statistics"][payer]` of the last loads with this payer in the current lineage, newest first."""
        lineage = [entry.batch_id for entry in self.lineage()]
        with self.engine.connect() as connection:
            rows = connection.execute(select(BATCHES.c.batch_id, BATCHES.c.kind, BATCHES.c.result)).all()
        results = {row.batch_id: row.result for row in rows if row.kind == "load"}
        found = (results[batch_id].get("statistics", {}).get(payer) for batch_id in lineage if batch_id in results)
        return [entry for entry in found if entry is not None][:last]

    # --- releases ---

    def releases(self) -> list[ReleaseEntry]:
        """All releases, oldest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(RELEASES).order_by(RELEASES.c.release)).all()
        return [_release(row) for row in rows]

    def current_release(self) -> ReleaseEntry | None:
        """The newest release: what readers see."""
        releases = self.releases()
        return releases[-1] if releases else None

    def lineage(self, number: int | None = None) -> list[ReleaseEntry]:
        """A release (the current one) and those that its content builds on, newest first."""
        by_number = {entry.release: entry for entry in self.releases()}
        step = max(by_number, default=None) if number is None else number
        line: list[ReleaseEntry] = []
        while step is not None and step in by_number:
            line.append(by_number[step])
            step = by_number[step].parent
        return line

    def release_of_batch(self, batch_id: str) -> ReleaseEntry | None:
        """The release of a batch, if its content is in the current lineage: only then is the batch done."""
        return next((entry for entry in self.lineage() if entry.batch_id == batch_id), None)

    def contents(self, number: int) -> dict[FileKey, ReleaseEntry]:
        """The files that release `number` is made of, each with the release that brought it."""
        line = {entry.release: entry for entry in self.lineage(number)}
        with self.engine.connect() as connection:
            rows = connection.execute(select(RELEASE_FILES).where(RELEASE_FILES.c.release.in_(line))).all()
        return {(row.payer, row.sha256): line[row.release] for row in sorted(rows, key=lambda row: int(row.release))}

    def expired(self) -> dict[int, date]:
        """Releases that are no longer kept, each with the date of the retention that gave it up."""
        with self.engine.connect() as connection:
            return {row.release: row.expired_on for row in connection.execute(select(EXPIRED).order_by(EXPIRED.c.release))}

    def waivers(self) -> dict[str, str]:
        """The lines (row ids) that a person has waived in the current lineage, each with the batch that did it."""
        line = {entry.release: entry.batch_id for entry in self.lineage()}
        with self.engine.connect() as connection:
            rows = connection.execute(select(WAIVERS).where(WAIVERS.c.release.in_(line)).order_by(WAIVERS.c.release.desc())).all()
        return {row.row_id: line[row.release] for row in rows}

    # --- inside the transaction that publishes, or that expires ---

    def add_release(self, connection: Connection, entry: ReleaseEntry, result: Mapping[str, Any]) -> None:
        """The release and its batch as published with `result`."""
        connection.execute(insert(RELEASES).values(asdict(entry)))
        published = {"state": "published", "release": entry.release, "result": dict(result), "message": None}
        _update_batch(connection, entry.batch_id, published)

    def add_files(self, connection: Connection, entry: ReleaseEntry, files: Iterable[FileKey]) -> None:
        """The files that a release brings, as published."""
        for key in files:
            connection.execute(insert(RELEASE_FILES).values(release=entry.release, payer=key[0], sha256=key[1]))
            _update_file(connection, key, _published_by(entry))

    def add_waivers(self, connection: Connection, entry: ReleaseEntry, rows: Sequence[str]) -> None:
        """The lines that a release waives. The queue holds them, too; here they outlive it."""
        if rows:
            connection.execute(insert(WAIVERS), [{"release": entry.release, "row_id": row} for row in rows])

    def restore_files(self, connection: Connection, number: int) -> None:
        """What release `number` is made of is published again; every other published file is withdrawn."""
        contents = self.contents(number)
        for entry in self.files(state="published"):
            if entry.key not in contents:
                _update_file(connection, entry.key, {"state": "withdrawn", "retry": False})
        for key, release in contents.items():
            _update_file(connection, key, _published_by(release))

    def add_expired(self, connection: Connection, numbers: Iterable[int], expired_on: date) -> None:
        """Releases as no longer kept; none of them may be so already."""
        for number in numbers:
            connection.execute(insert(EXPIRED).values(release=number, expired_on=expired_on))


def _published_by(entry: ReleaseEntry) -> dict[str, Any]:
    cleared = {"reason_code": None, "reason": None, "declarations": None, "retry": False}
    return {"state": "published", "release": entry.release, "batch_id": entry.batch_id, **cleared}


def _update_file(connection: Connection, key: FileKey, values: Mapping[str, Any]) -> None:
    found = connection.execute(update(FILES).where(FILES.c.payer == key[0], FILES.c.sha256 == key[1]).values(values)).rowcount
    if found != 1:
        raise CatalogError(f"file {key[1][:12]} of {key[0]} is not in the ledger; `medflow run` enters files before it uses them")


def _update_batch(connection: Connection, batch_id: str, values: Mapping[str, Any]) -> None:
    if connection.execute(update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(values)).rowcount != 1:
        raise CatalogError(f"batch {batch_id} is not in the ledger; a batch is entered before it is built")


def _release(row: Row[Any]) -> ReleaseEntry:
    return ReleaseEntry(**row._asdict())


def new_batch(batch_id: str, kind: BatchKind, run_date: date, declarations: str) -> BatchEntry:
    """A batch that begins."""
    return BatchEntry(batch_id=batch_id, kind=kind, state="running", run_date=run_date, declarations=declarations)
