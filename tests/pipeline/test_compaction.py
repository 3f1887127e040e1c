"""Compaction, as `medflow maintain` does it: the same rows in fewer files as a release of its own, or nothing at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from medflow.errors import VerificationError
from medflow.lakehouse.releases import DataFileInfo, Release, ReleasedTable
from spark_jobs import compaction
from spark_jobs.compaction import SMALL_BYTES, scattered
from spark_jobs.engines.duckdb import DuckDBEngine
from spark_jobs.maintain import maintain
from spark_jobs.reverify import verify_release
from spark_jobs.writer import BranchWriter, Ref
from tests.pipeline.four_loads import LOADS, RAW, Scene, command, data_files, maintained, two_days_later, whole
from tests.support.claims import Version, bluecross
from tests.support.lake import Lake, order

_HISTORY, _LOG = "healthcare.claims_history", "healthcare.data_quality_log"
_SCATTERED = {RAW, _HISTORY, _LOG, "healthcare.claims_quarantined"}  # what loads only ever append to

# --- what is worth rewriting ---


def files_of(*sizes: int) -> ReleasedTable:
    return ReleasedTable(1, "", (), tuple(DataFileInfo(f"{n}", {"payer_id": "a"}, 1, size) for n, size in enumerate(sizes)))


_MB = 1 << 20


@pytest.mark.parametrize(
    ("sizes", "worth"),
    [
        ([_MB] * 9, True),
        ([_MB] * 8, False),
        ([SMALL_BYTES] * 50, False),
        ([SMALL_BYTES - 1] * 9, True),
        ([*[_MB] * 9, 300 * _MB], False),
        ([*[_MB] * 9, 200 * _MB], True),
        ([*[_MB] * 12, 300 * _MB], True),
        ([], False),
    ],
    ids=["9 small", "8 small", "none is small", "just small", "few beside a large one", "enough beside it", "more beside it", "no file"],
)
def test_a_partition_is_rewritten_when_its_small_files_weigh(sizes: list[int], worth: bool) -> None:
    """More than 8 files below 32 MB, and more than one for each 32 MB that would have to be rewritten."""
    assert (list(scattered(files_of(*sizes))) == [("a",)]) is worth


def test_partitions_are_weighed_one_by_one() -> None:
    """Nine small files over two partitions are not many in either."""
    files = [DataFileInfo(f"{n}", {"payer_id": "a" if n < 5 else "b", "day": n % 1}, 1, 10) for n in range(9)]
    assert scattered(ReleasedTable(1, "", (), tuple(files))) == {}


# --- compaction ---


def test_compaction_gives_the_same_rows_in_fewer_files(loaded: Lake, scene: Scene) -> None:
    """A release of its own kind; every table equal row for row; sorted as declared; and the second time there is nothing to do."""
    before = loaded.release()
    found = maintained(loaded)
    after = loaded.release()
    assert (found.release, after.number, after.kind, after.parent) == (LOADS + 1, LOADS + 1, "compact", LOADS)
    assert whole(loaded, after.number) == whole(loaded, LOADS) == scene.expected[LOADS]
    done = {table.table: table.compacted for table in found.tables if table.compacted}
    assert set(done) == _SCATTERED
    for name, table in done.items():
        count = [len(release.tables[name].data_files) for release in (before, after)]
        assert (table.files_before, table.files_after) == (count[0], table.partitions) == (LOADS * table.partitions, count[1])
        assert table.bytes_before == sum(file.bytes for file in before.tables[name].data_files)
        assert table.bytes_after == sum(file.bytes for file in after.tables[name].data_files)
    assert {name: table for name, table in after.tables.items() if name not in done}.keys() == before.tables.keys() - done.keys()
    assert all(after.tables[name].snapshot == before.tables[name].snapshot for name in before.tables if name not in done)
    again = maintained(loaded)
    assert again.nothing_done and again.tables == () and loaded.release().number == LOADS + 1
    assert not any(finding.failed for finding in verify_release(loaded.site(), lambda _: None)[1])


def test_a_partition_that_is_not_scattered_keeps_its_files(loaded: Lake, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """One payer's partitions are rewritten, the other's are as they were, in whatever order they are listed."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: "bluecross" in files[0].partition.values())
    listed = BranchWriter.files

    def turned(writer: BranchWriter, table: str, ref: Ref, *partitions: Any) -> list[DataFileInfo]:
        files = listed(writer, table, ref, *partitions)
        return files[::-1] if ref == "branch" else files

    monkeypatch.setattr(BranchWriter, "files", turned)
    before = loaded.release()
    assert maintained(loaded).release == LOADS + 1

    def of(release: Release, payer: str) -> set[str]:
        return {file.path for file in release.tables[RAW].data_files if file.partition["payer_id"] == payer}

    after = loaded.release()
    assert of(after, "unitedhealth") == of(before, "unitedhealth") and len(of(after, "unitedhealth")) == LOADS
    assert len(of(after, "bluecross")) == 1 and not of(after, "bluecross") & of(before, "bluecross")
    assert whole(loaded, after.number) == scene.expected[LOADS]


def test_rewritten_partitions_are_sorted_as_declared(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only merged."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: len(files) >= 1)
    monkeypatch.setattr(compaction._Rewrite, "write", forced(compaction._Rewrite.write))
    maintained(loaded)
    name = "healthcare.claims_clean"
    assert loaded.release().kind == "compact"
    for path in loaded.release().tables[name].files:
        keys = duckdb.connect().execute("SELECT payer_id, claim_id FROM read_parquet($1)", [path]).fetchall()
        assert keys == sorted(keys) and len(keys) > 1


def forced(write: Any) -> Any:
    """Rewrite also what does not come out with fewer files."""

    def written(rewrite: Any, engine: Any, lock: Any) -> None:
        rewrite.scattered = {key: [*files, *files] for key, files in rewrite.scattered.items()}
        read = engine.files
        engine.files = lambda relation, paths, spec: read(relation, list(dict.fromkeys(paths)), spec)
        write(rewrite, engine, lock)
        del engine.files

    return written


def test_what_does_not_come_out_with_fewer_files_is_left(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No release, no batch and no branch; what was written for nothing goes as an orphan."""
    monkeypatch.setattr(compaction, "_is_scattered", lambda files: len(files) == 1)
    before = data_files(loaded)
    found = maintain(loaded.site(), replace(order(), clock=lambda: datetime.now(UTC)))
    assert (found.release, found.batch_id, loaded.release().number) == (None, None, LOADS)
    assert before < data_files(loaded)
    maintained(loaded)
    monkeypatch.setattr(compaction, "_is_scattered", lambda _: False)
    maintained(loaded)
    assert data_files(loaded) == before


def test_compaction_changes_nothing_that_is_told_of_loads(loaded: Lake) -> None:
    """Contents, gate history, fingerprints, declarations, candidates, notices; the lineage grows by one."""

    def facts() -> tuple[Any, ...]:
        site, release = loaded.site(), loaded.release()
        contents = {key: entry.release for key, entry in site.ledger.contents(release.number).items()}
        statistics = [site.ledger.statistics(payer, 5) for payer in ("bluecross", "unitedhealth")]
        return contents, statistics, site.ledger.files(), dict(release.fingerprints), release.declarations

    before = facts()
    maintained(loaded)
    assert facts() == before
    site = loaded.site()
    assert [entry.kind for entry in site.ledger.lineage()] == ["compact", *["load"] * LOADS]
    batch = site.ledger.batch(loaded.release().batch_id)
    assert batch is not None and (batch.state, batch.release, set(batch.result["compacted"])) == ("published", 5, _SCATTERED)
    told = json.loads(command(loaded, "status", "--json").out)
    assert (told["release"]["kind"], told["notices"]) == ("compact", [])
    listed = json.loads(command(loaded, "releases", "list", "--json").out)
    assert [(entry["kind"], entry["kept"]) for entry in listed] == [*[("load", True)] * LOADS, ("compact", True)]


def test_loads_and_restores_go_on_after_compaction(loaded: Lake, scene: Scene) -> None:
    """The next load builds on the compacted release; a restore goes behind it and back."""
    maintained(loaded)
    loaded.put("bluecross", "9.csv", bluecross([Version("LATE")]))
    assert loaded.run().release == 6
    assert len(whole(loaded, 6)[RAW]) == len(scene.expected[LOADS][RAW]) + 1
    for number, like in ((2, 2), (5, LOADS)):
        done = command(loaded, "releases", "restore", str(number), "--json")
        assert done.code == 0, done.err
        assert whole(loaded, json.loads(done.out)["release"]) == scene.expected[like]


@pytest.mark.parametrize("harm", ["LIMIT 1", "UNION ALL SELECT * FROM ({sql}) LIMIT 7", "WHERE {column} IS NOT NULL OR TRUE LIMIT 0"])
def test_compaction_that_would_change_rows_is_not_published(loaded: Lake, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    """Rows lost, doubled, or all gone: told with counts, and the release stays what it was."""
    write = DuckDBEngine.write

    def harmful(self: DuckDBEngine, sql: str, target: Any) -> list[str]:
        return write(self, f"{sql} {harm.format(sql=sql, column=target.spec.columns[0].name)}", target)

    monkeypatch.setattr(DuckDBEngine, "write", harmful)
    before = loaded.content()
    with pytest.raises(VerificationError, match=r"compacting healthcare\.\w+ would change it: a partition of \d+ rows came out with \d+"):
        maintained(loaded)
    assert loaded.release().number == LOADS and loaded.content() == before
    monkeypatch.setattr(DuckDBEngine, "write", write)
    assert maintained(loaded).release == LOADS + 1


def test_a_changed_value_is_noticed(loaded: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of rows, one map or amount other than it was."""
    write = DuckDBEngine.write
    changes = {RAW: ("fields", "MAP('CLAIM_ID', 'X')"), _HISTORY: ("paid_amount", "paid_amount + CAST(0.01 AS DECIMAL(12, 2))")}

    for name, (column, value) in changes.items():

        def harmful(self: DuckDBEngine, sql: str, target: Any, name: str = name, column: str = column, value: str = value) -> list[str]:
            if target.spec.name != name:
                return write(self, sql, target)
            chosen = ", ".join(f"{value} AS {column}" if c == column else c for c in target.spec.column_names)
            return write(self, f"SELECT {chosen} FROM ({sql}) AS rows_to_harm", target)

        monkeypatch.setattr(DuckDBEngine, "write", harmful)
        with pytest.raises(VerificationError, match=rf"compacting {name} would change it"):
            maintained(loaded)
    assert loaded.release().number == LOADS


def test_a_table_that_waits_for_a_declared_column_is_left_to_the_run(loaded: Lake, tmp_path: Path) -> None:
    """Its new column comes with the next load, not with a compaction."""
    from tests.support.lake import copied_knowledge_base

    base = copied_knowledge_base(tmp_path / "kb")
    path = base / "bronze" / "claims_raw.yaml"
    path.write_text(path.read_text() + "  note: {type: string, about: a new one}\n")
    changed = Lake(loaded.home, base)
    found = maintain(changed.site(), two_days_later())
    assert {table.table for table in found.tables if table.compacted} == _SCATTERED - {RAW}
    assert "note" not in [column.name for column in changed.release().tables[RAW].columns]
