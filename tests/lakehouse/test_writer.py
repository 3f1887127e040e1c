"""Tables on the branch of a batch: made, evolved, appended to, replaced, seen by nobody else."""

import uuid
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.io.pyarrow import schema_to_pyarrow

from medflow.errors import CatalogError, DeclarationError, FencedError
from medflow.lakehouse.arrow_schema import arrow_schema
from medflow.lakehouse.storage import Storage
from medflow.specs.table import Column
from spark_jobs.engines.table_files import NewFiles, write_table_files
from spark_jobs.writer import BranchWriter
from tests.lakehouse.small_lake import BY_MONTH, BY_PAYER, COLUMNS, PLAIN, SPECS, SmallLake, markers, row, table

STRUCTS = 'STRUCT(rule_id VARCHAR, "column" VARCHAR)[]'
EVERY_TYPE = (  # column, Spark type, DuckDB type, a value
    ("text", "string", "VARCHAR", "'ab'"),
    ("small", "int", "INTEGER", "1"),
    ("large", "bigint", "BIGINT", "5000000000"),
    ("ratio", "double", "DOUBLE", "0.5"),
    ("yes", "boolean", "BOOLEAN", "true"),
    ("day", "date", "DATE", "'2026-03-14'"),
    ("instant", "timestamp", "TIMESTAMPTZ", "'2026-03-14 10:00:00+02'"),
    ("money", "decimal(12,2)", "DECIMAL(12,2)", "'-1234.50'"),
    ("large_money", "decimal(18,2)", "DECIMAL(18,2)", "'9999999999999999.99'"),
    ("codes", "array<string>", "VARCHAR[]", "['a', NULL]"),
    ("fields", "map<string,string>", "MAP(VARCHAR, VARCHAR)", "MAP {'k': 'v'}"),
    ("errors", "array<struct<rule_id:string,column:string>>", STRUCTS, "[{'rule_id': 'r', 'column': NULL}]"),
)


def branch_rows(writer, name, partitions=None):
    return markers([file.path for file in writer.files(name, "branch", partitions)])


def test_new_tables_are_made_with_one_empty_snapshot_and_a_branch(small):
    """Main and branch point at the same empty snapshot; nobody reads a row."""
    writer = small.begin("b1", 1)
    for spec in SPECS:
        assert writer.head(spec.name, "main") == writer.head(spec.name, "branch")
        assert writer.files(spec.name, "main") == []
        assert small.lake.table(spec.name).properties["write.parquet.compression-codec"] == "zstd"
        assert small.lake.table(spec.name).metadata.format_version == 2


def test_opening_again_changes_nothing(small):
    """Tables that are right keep their metadata: no commit."""
    small.begin("b1", 1)
    before = small.lake.pointers()
    small.begin("b1", 1)
    assert small.lake.pointers() == before


def test_every_type_is_written_by_duckdb_and_read_by_both(small):
    """What DuckDB computes is written with the table's field ids; PyIceberg and DuckDB read the same values, NULLs too."""
    spec = table("toy.types", columns=tuple(Column(name=name, type=kind) for name, kind, _, _ in EVERY_TYPE))
    writer = small.begin("b1", 1, specs=[spec])
    target = writer.target(spec)
    fields = arrow_schema(target.metadata.schema(), [column.name for column in spec.columns])
    filled = ", ".join(f"CAST({value} AS {kind}) AS {name}" for name, _, kind, value in EVERY_TYPE)
    query = f"SELECT {filled} UNION ALL SELECT {', '.join('NULL' for _ in EVERY_TYPE)}"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        batches = connection.sql(query).to_arrow_reader()
        paths = write_table_files(batches, fields, NewFiles.below(target.location, Storage()))
        by_duckdb = connection.sql("SELECT * FROM read_parquet(?)", params=[paths]).to_arrow_table().to_pylist()
    writer.append(spec.name, paths)
    by_iceberg = small.lake.table(spec.name).scan(snapshot_id=writer.head(spec.name, "branch")).to_arrow().to_pylist()
    by_iceberg[1]["errors"] = by_iceberg[1]["errors"] or None  # PyIceberg 0.12 reads a NULL array of structs as an empty one
    assert by_iceberg == by_duckdb
    assert (str(by_iceberg[0]["money"]), by_iceberg[1]["codes"]) == ("-1234.50", None)


def test_what_is_on_the_branch_is_not_on_main(small):
    """Append and replace move the branch only."""
    small.load(1)
    writer = small.begin("b2", 2)
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(2)])])
    assert branch_rows(writer, PLAIN.name) == [1, 2]
    assert markers([file.path for file in writer.files(PLAIN.name, "main")]) == [1] == small.by_iceberg(PLAIN.name)


def test_each_commit_carries_the_batch(small):
    """So that a lost reply can be looked up, and a stranger told apart."""
    writer = small.begin("b1", 1)
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(1)])])
    summaries = [snapshot.summary.additional_properties for snapshot in small.lake.table(PLAIN.name).metadata.snapshots]
    assert [summary["medflow.batch-id"] for summary in summaries] == ["b1", "b1"]


def test_partitions_are_replaced_by_any_spelling_of_them(small):
    """Iceberg's own month number, or any date in the month; other partitions stay."""
    small.load(1, [row(1, day=date(2026, 3, 1))], specs=[BY_MONTH])
    writer = small.begin("b2", 2, specs=[BY_MONTH])
    april = small.write(writer, BY_MONTH.name, [row(2, day=date(2026, 4, 30))])
    writer.append(BY_MONTH.name, [april])
    march = small.write(writer, BY_MONTH.name, [row(3, day=date(2026, 3, 31))])
    writer.replace(BY_MONTH.name, [march], {((2026 - 1970) * 12 + 2,)})
    assert branch_rows(writer, BY_MONTH.name) == [2, 3]
    assert branch_rows(writer, BY_MONTH.name, {(date(2026, 4, 1),)}) == [2]
    writer.replace(BY_MONTH.name, [], {(date(2026, 4, 9),)})
    assert branch_rows(writer, BY_MONTH.name) == [3]
    assert [file.partition for file in writer.files(BY_MONTH.name, "branch")] == [{"day_month": 674}]


def test_a_partition_of_unknown_value_is_one_of_its_own(small):
    """Rows without a day lie in the partition (None,)."""
    writer = small.begin("b1", 1, specs=[BY_MONTH])
    paths = [small.write(writer, BY_MONTH.name, [row(1, day=None)]), small.write(writer, BY_MONTH.name, [row(2)])]
    writer.append(BY_MONTH.name, paths)
    writer.replace(BY_MONTH.name, [], {(None,)})
    assert branch_rows(writer, BY_MONTH.name) == [2]


def test_nothing_to_drop_and_nothing_to_add_is_no_commit(small):
    """The head stays; a file without rows is nothing to add."""
    writer = small.begin("b1", 1)
    head = writer.head(BY_PAYER.name, "branch")
    writer.replace(BY_PAYER.name, [], None)
    writer.replace(BY_PAYER.name, [], {("aetna",)})
    writer.append(BY_PAYER.name, [])
    writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [])])
    assert writer.head(BY_PAYER.name, "branch") == head


def test_a_whole_table_is_replaced_or_emptied(small):
    """None = every partition; dropping all without adding leaves an empty table."""
    small.load(1)
    writer = small.begin("b2", 2)
    writer.replace(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(2, payer="aetna")])], None)
    assert branch_rows(writer, BY_PAYER.name) == [2]
    writer.replace(BY_PAYER.name, [], None)
    assert writer.files(BY_PAYER.name, "branch") == []


def test_an_added_file_must_lie_in_the_replaced_partitions(small):
    """Else its rows would stand beside those that they repeat."""
    writer = small.begin("b1", 1)
    with pytest.raises(CatalogError, match="outside of the partitions"):
        writer.replace(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(1)])], {("aetna",)})


def test_opening_puts_the_branch_back_to_main(small):
    """What a killed run of the same batch left is not built upon."""
    small.load(1)
    left = small.begin("b2", 2)
    left.append(PLAIN.name, [small.write(left, PLAIN.name, [row(2)])])
    writer = small.begin("b2", 2)
    assert branch_rows(writer, PLAIN.name) == [1]


def test_a_layer_is_put_back_to_where_it_began(small):
    """To main, or to the snapshots recorded when the layer began."""
    small.load(1)
    writer = small.begin("b2", 2)
    writer.append(PLAIN.name, [small.write(writer, PLAIN.name, [row(2)])])
    start = {PLAIN.name: writer.head(PLAIN.name, "branch")}
    for name in (PLAIN.name, BY_PAYER.name):
        writer.append(name, [small.write(writer, name, [row(3)])])
    writer.reset([PLAIN.name, BY_PAYER.name], start)
    assert (branch_rows(writer, PLAIN.name), branch_rows(writer, BY_PAYER.name)) == ([1, 2], [1])
    writer.reset([PLAIN.name])
    assert branch_rows(writer, PLAIN.name) == [1]


def test_an_added_column_evolves_the_table(small):
    """Old files read as NULL, new ones with their value; a private one leaves no statistics."""
    small.load(1, specs=[BY_PAYER])
    wider = table(BY_PAYER.name, "payer", columns=(*COLUMNS, Column(name="note", type="string", private=True)), sort=("marker",))
    writer = small.begin("b2", 2, specs=[wider])
    writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [{**row(2), "note": "x"}])])
    small.publish(small.publication(writer, "b2", 2, specs=[wider]))
    found = small.lake.table(BY_PAYER.name).scan().to_arrow().sort_by("marker").to_pylist()
    assert [(line["marker"], line["note"]) for line in found] == [(1, None), (2, "x")]
    released = small.release().tables[BY_PAYER.name]
    assert [(column.id, column.name) for column in released.columns] == [(1, "payer"), (2, "day"), (3, "marker"), (4, "note")]
    assert [column.name for column in small.release(1).tables[BY_PAYER.name].columns] == ["payer", "day", "marker"]
    assert len(small.lake.table(BY_PAYER.name).sort_order().fields) == 1
    assert markers(released.files) == [1, 2]


def test_other_changes_of_shape_are_problems_all_at_once(small):
    """Type, partition and missing columns, of all tables, before anything is written."""
    small.load(1)
    before = small.lake.pointers()
    changed = (COLUMNS[0], Column(name="marker", type="string"))
    wrong = [table(PLAIN.name, columns=changed), table(BY_PAYER.name, "day(day)"), table("toy.fresh")]
    with pytest.raises(DeclarationError) as error:
        BranchWriter(small.lake, "b2", small.lock.check).open(wrong)
    text = "\n".join(error.value.problems)
    assert "toy.plain.marker: the table holds bigint, not string" in text
    assert "toy.plain.day: the table has this column" in text
    assert "toy.by_payer: the table is partitioned by payer" in text
    assert small.lake.pointers() == before


def test_a_private_partition_column_is_split_by_its_data(small):
    """Statistics that are kept out of the metadata still tell the partition; the metadata holds no bounds."""
    columns = (Column(name="payer", type="string", private=True), *COLUMNS[1:])
    spec = table("toy.secret", "payer", columns=columns)
    writer = small.begin("b1", 1, specs=[spec])
    writer.append(spec.name, [small.write(writer, spec.name, [row(1, payer="aetna")])])
    (file,) = small.lake.data_files(small.lake.table(spec.name), writer.head(spec.name, "branch"))
    assert writer.files(spec.name, "branch")[0].partition == {"payer": "aetna"}
    for statistics in (file.lower_bounds, file.upper_bounds, file.value_counts, file.null_value_counts):
        assert 1 not in statistics and 3 in statistics
    assert branch_rows(writer, spec.name, {("aetna",)}) == [1]


@pytest.mark.parametrize("rows", [[row(1), row(2, payer="aetna")], [row(1), row(2, payer=None)]])
def test_a_file_across_two_partitions_is_refused_without_its_values(small, rows):
    """The message names file and field, never a value."""
    writer = small.begin("b1", 1)
    with pytest.raises(CatalogError, match=r"not in one partition of toy.by_payer: payer") as error:
        writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, rows)])
    assert "aetna" not in str(error.value) and "bluecross" not in str(error.value)


def _written(writer, schema, folder=None):
    path = Path(folder or writer.target(PLAIN).location) / f"{uuid.uuid4().hex}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row(1)], schema=schema), path)
    return str(path)


def test_a_file_that_does_not_fit_is_refused(small):
    """Without ids, with another type, id or name, outside of the table's folder, missing or cut off."""
    writer = small.begin("b1", 1)
    right = schema_to_pyarrow(small.lake.table(PLAIN.name).schema())
    bare = pa.schema([pa.field("payer", pa.string()), pa.field("day", pa.date32()), pa.field("marker", pa.int64())])
    narrow = right.set(2, pa.field("marker", pa.int32(), metadata=right.field(2).metadata))
    swapped = right.set(2, pa.field("marker", pa.int64(), metadata=right.field(1).metadata)).remove(1)
    cut = Path(_written(writer, right))
    cut.write_bytes(cut.read_bytes()[:-20])
    cases = [
        (_written(writer, bare), "field ids"),
        (_written(writer, narrow), r"differs in marker \(id 3, int\)"),
        (_written(writer, swapped), r"differs in marker \(id 2, bigint\)"),
        (_written(writer, right, small.home), "its files are written below"),
        (str(cut), "no whole Parquet file"),
        (f"{writer.target(PLAIN).location}/none.parquet", "no whole Parquet file"),
    ]
    for path, said in cases:
        with pytest.raises(CatalogError, match=said):
            writer.append(PLAIN.name, [path])
    assert writer.files(PLAIN.name, "branch") == []


def test_both_spellings_of_a_path_are_taken(small):
    """DuckDB gives plain paths, others file addresses; the lake lists plain ones."""
    writer = small.begin("b1", 1)
    paths = [small.write(writer, PLAIN.name, [row(number)]) for number in (1, 2)]
    writer.append(PLAIN.name, [paths[0], f"file://{paths[1]}", paths[0]])
    assert sorted(file.path for file in writer.files(PLAIN.name, "branch")) == sorted(paths)


def test_a_fenced_writer_commits_nothing(small):
    """The fence is asked before each commit."""
    allowed = [None] * 2

    def fence():
        if not allowed:
            raise FencedError("taken over")
        allowed.pop()

    small.begin("b1", 1)
    writer = BranchWriter(small.lake, "b1", fence)
    writer.open(SPECS)
    path = small.write(writer, PLAIN.name, [row(1)])
    writer.append(PLAIN.name, [path])
    with pytest.raises(FencedError):
        writer.append(PLAIN.name, [path])
    with pytest.raises(FencedError):
        writer.replace(PLAIN.name, [], None)
    with pytest.raises(FencedError):
        writer.reset([PLAIN.name])
    assert branch_rows(writer, PLAIN.name) == [1]


def test_a_branch_that_was_never_opened_is_an_error(small):
    """The message says which table and branch."""
    small.begin("b1", 1)
    with pytest.raises(CatalogError, match=r"toy.plain has no branch audit_other"):
        BranchWriter(small.lake, "other", small.lock.check).append(PLAIN.name, [])
        BranchWriter(small.lake, "other", small.lock.check).files(PLAIN.name, "branch")


def test_manifests_stay_few(small):
    """Many commits do not leave many manifests to read: dead ones go, small ones are merged, and no row is touched."""
    writer = small.begin("b1", 1, specs=[BY_PAYER])
    for number in range(20):
        if number % 4 == 0:
            writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(number)])])
        for payer, marker in (("aetna", 100 + number), ("other", 200 + number)):
            writer.replace(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(marker, payer)])], {(payer,)})
        snapshot = small.lake.table(BY_PAYER.name).metadata.snapshot_by_id(writer.head(BY_PAYER.name, "branch"))
        manifests = snapshot.manifests(small.lake.io)
        dead = [one for one in manifests if not one.has_added_files() and not one.has_existing_files()]
        assert len(manifests) < 10 and all(one.added_snapshot_id == snapshot.snapshot_id for one in dead)
    expected = [*range(0, 20, 4), 119, 219]
    assert branch_rows(writer, BY_PAYER.name) == expected == small.by_iceberg(BY_PAYER.name, snapshot.snapshot_id)


PARTITIONS = st.sampled_from(["aetna", "bluecross", None])
STEPS = st.lists(
    st.tuples(st.just("append"), st.lists(PARTITIONS, max_size=3))
    | st.tuples(st.just("replace"), st.tuples(st.none() | st.frozensets(PARTITIONS), st.integers(0, 2)))
    | st.tuples(st.just("publish"), st.none()),
    min_size=8,
    max_size=30,
)


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_writes_gives_what_a_dictionary_would(tmp_path_factory, steps):
    """Appends, replacements and releases in any order, with manifests dropped and merged on the way: no row lost or doubled."""
    small = SmallLake.at(tmp_path_factory.mktemp("model"))
    writer, batch, counter, model = small.begin("b0", 0, specs=[BY_PAYER]), 0, 0, []
    for step, argument in steps:
        counter += 10
        if step == "append":
            added = [(payer, counter + n) for n, payer in enumerate(argument)]
            writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(marker, payer)]) for payer, marker in added])
        elif step == "replace":
            chosen, count = argument
            payers = ["aetna", "bluecross", None] if chosen is None else list(chosen)
            added = [(payer, counter + n) for payer in payers for n in range(count)]
            paths = [small.write(writer, BY_PAYER.name, [row(marker, payer)]) for payer, marker in added]
            writer.replace(BY_PAYER.name, paths, None if chosen is None else {(payer,) for payer in chosen})
            model = [line for line in model if line[0] not in payers]
        else:
            small.publish(small.publication(writer, f"b{batch}", batch, specs=[BY_PAYER]))
            batch += 1
            writer, added = small.begin(f"b{batch}", batch, specs=[BY_PAYER]), []
        model += added
        assert sorted(branch_rows(writer, BY_PAYER.name)) == sorted(marker for _, marker in model)
    head = small.lake.table(BY_PAYER.name).metadata.snapshot_by_id(writer.head(BY_PAYER.name, "branch"))
    assert small.by_iceberg(BY_PAYER.name, head.snapshot_id) == sorted(marker for _, marker in model)
    assert len(head.manifests(small.lake.io)) <= 12
    small.lock.release()
