"""What publishing and restoring share: stage every table, describe the release, look at its files, land it in one go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update.snapshot import ManageSnapshots
from sqlalchemy import Connection

from medflow.errors import CatalogError, VerificationError
from medflow.lakehouse.catalog import Lake
from medflow.lakehouse.data_files import described
from medflow.lakehouse.ledger_entries import ReleaseEntry
from medflow.lakehouse.lock import WriterLock
from medflow.lakehouse.releases import Release, ReleasedColumn, ReleasedTable, read_release
from medflow.lakehouse.schema import spark_type
from medflow.lakehouse.staging import Draft, Staged, land, stage
from medflow.lakehouse.storage import each
from spark_jobs.writer import EMPTY_TAG


@dataclass(frozen=True)
class Proposal:
    """A release to be: its facts (no tables yet), its tables as they were read, each one's head, what else to write with it.

    `branch` ends with the release. Every pointer must still be that of `tables` when they are swapped.
    """

    release: Release
    tables: Mapping[str, Table]
    heads: Mapping[str, int]
    record: Callable[[Connection, ReleaseEntry], None]
    branch: str | None = None


def release_tag(number: int) -> str:
    """The tag that keeps a release's snapshots."""
    return f"release_{number}"


def main_of(table: Table) -> int:
    """The snapshot that main points at."""
    return table.refs()[MAIN_BRANCH].snapshot_id


def holds(table: Table, head: int, snapshot: int) -> bool:
    """Whether a snapshot is a head or one that the head was built on."""
    line = ancestors_of(table.metadata.snapshot_by_id(head), table.metadata)
    return any(one.snapshot_id == snapshot for one in line)


def own_tables(lake: Lake, released: Collection[str]) -> dict[str, Table]:
    """The lake's tables: those released, and those that a batch has made. Other programs may keep theirs in the same catalog."""
    return {name: table for name, table in lake.tables().items() if name in released or EMPTY_TAG in table.refs()}


def land_release(lake: Lake, lock: WriterLock, proposal: Proposal) -> list[Staged]:
    """Make the proposal the current release: all tables, ledger and release row in one transaction.

    Returns the tables as they stand now. Raises FencedError, CatalogError, VerificationError: nothing has changed.
    """
    staged = [one for name in proposal.heads if (one := stage(lake, _moved(proposal.tables[name], proposal)))]
    release = replace(proposal.release, tables=_contents(lake, proposal, staged))
    _look_at_files(lake, release)
    entry = _entry(release, _write_manifest(lake, lock.token, release))

    def record(connection: Connection) -> None:
        lock.guard(connection)
        proposal.record(connection, entry)

    land(lake, staged, record)
    return staged


def _contents(lake: Lake, proposal: Proposal, staged: Iterable[Staged]) -> dict[str, ReleasedTable]:
    known = _known(lake)
    contents = {}
    for one in staged:
        head = proposal.heads[one.name]
        table = known.get((one.name, head)) or _released(lake, one.table, head)
        contents[one.name] = replace(table, metadata=one.table.metadata_location)
    return contents


def _known(lake: Lake) -> Mapping[tuple[str, int], ReleasedTable]:
    """Tables of the current release by name and snapshot: those that stay need not be listed again."""
    try:
        tables = read_release(lake.engine, storage=lake.storage).tables
    except CatalogError:  # no release yet, or its manifest is lost: everything is listed anew
        return {}
    return {(name, table.snapshot): table for name, table in tables.items()}


def _released(lake: Lake, table: Table, head: int) -> ReleasedTable:
    snapshot = table.metadata.snapshot_by_id(head)
    schema = table.schemas()[snapshot.schema_id] if snapshot and snapshot.schema_id is not None else table.schema()
    columns = tuple(ReleasedColumn(field.field_id, field.name, spark_type(field.field_type)) for field in schema.columns)
    files = tuple(described(table, file) for file in lake.data_files(table, head))
    return ReleasedTable(head, table.metadata_location, columns, files)


def _moved(table: Table, proposal: Proposal) -> Draft:
    """Main and the release's tag at the table's head, and the batch's branch gone."""
    draft, head = Draft(table), proposal.heads[".".join(table.name())]
    refs = ManageSnapshots(draft).create_tag(head, release_tag(proposal.release.number))
    if main_of(table) != head:
        refs = refs.create_branch(head, MAIN_BRANCH)
    if proposal.branch in table.refs():
        refs = refs.remove_branch(proposal.branch)
    tagged = {ref.snapshot_id for ref in table.refs().values() if ref.snapshot_ref_type == SnapshotRefType.TAG}
    if not holds(table, head, main_of(table)) and main_of(table) not in tagged:  # a commit that no release has
        refs = refs.create_tag(main_of(table), f"before_{release_tag(proposal.release.number)}")
    refs.commit()
    return draft


def _look_at_files(lake: Lake, release: Release) -> None:
    """Raises VerificationError: a data file is missing or has another size than when it was written."""
    files = [file for table in release.tables.values() for file in table.data_files]
    sizes = each(lake.warehouse, lake.size, [file.path for file in files])
    if missing := next((file.path for file, size in zip(files, sizes, strict=True) if size != file.bytes), None):
        raise VerificationError(f"{missing} is missing or cut off; nothing was published. Run again: the layer is written anew")


def _write_manifest(lake: Lake, token: int, release: Release) -> str:
    # The token keeps a run that was taken over from writing over the manifest of the release that replaced its own.
    address = f"{lake.warehouse}/_releases/{release.number}-{token}.json"
    with lake.storage.warehouse_access(address), lake.io.new_output(address).create(overwrite=True) as file:
        file.write(release.to_json().encode())
    return address


def _entry(release: Release, manifest: str) -> ReleaseEntry:
    return ReleaseEntry(
        release=release.number,
        parent=release.parent,
        batch_id=release.batch_id,
        kind=release.kind,
        run_date=release.run_date,
        created_at=release.created_at,
        manifest=manifest,
        declarations=release.declarations,
        restored=release.restored,
    )
