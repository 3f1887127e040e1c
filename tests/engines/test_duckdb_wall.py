"""DuckDB's wall with the validator off: SQL that no validator would pass goes to the worker as it stands, and lets nothing out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rag_backend.engines.base import QueryError
from tests.engines.shop import CANARY
from tests.engines.wall import room_of, tells
from tests.support.lake import ROOT

# {file}: a text file with a canary; {parquet}: a data file of the lake with hidden columns; {lake}: its folder; {reader}: the file
# that the worker has open; {other}: the reader file of a policy that sees more
REFUSED = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_csv_auto('{file}', header = false)",
    "SELECT * FROM '{file}'",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM read_text('{reader}')",
    "SELECT * FROM read_blob('{other}')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/self/cmdline')",
    "SELECT * FROM read_text(['/etc/passwd'])",
    "SELECT * FROM read_text('file:///etc/passwd')",
    "SELECT * FROM read_text('http://127.0.0.1:9/{canary}')",
    "SELECT * FROM read_csv('s3://bucket/{canary}')",
    "SELECT * FROM read_csv('/dev/stdin')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_json_objects('{file}')",
    "SELECT * FROM read_parquet('{parquet}')",
    "SELECT * FROM '{parquet}'",
    'SELECT * FROM "{parquet}"',
    "SELECT * FROM parquet_scan('{parquet}')",
    "SELECT * FROM parquet_metadata('{parquet}')",
    "SELECT * FROM parquet_schema('{parquet}')",
    "SELECT * FROM parquet_kv_metadata('{parquet}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM read_duckdb('{other}')",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')",
    "SELECT * FROM query_table('{parquet}')",
    "SELECT * FROM query_table(['shop.diary'])",
    "SELECT * FROM query('SELECT entry FROM shop.diary')",
    "SELECT getenv('MEDFLOW_SECRET')",
    "SELECT * FROM python_scan('x')",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM sqlite_scan('{lake}/lake.db', 'medflow_releases')",
    "SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't')",
    "SELECT * FROM iceberg_scan('{lake}')",
    "COPY shop.orders TO '{lake}/out.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY shop.orders FROM '{file}'",
    "EXPORT DATABASE '{lake}/out'",
    "IMPORT DATABASE '{lake}'",
    "ATTACH '{other}' AS other (READ_ONLY)",
    "ATTACH '{lake}/new.duckdb' AS made",
    "ATTACH ':memory:' AS room",
    "DETACH system",
    "USE system",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{lake}/evil.duckdb_extension'",
    "FORCE INSTALL sqlite",
    "SET enable_external_access = true",
    "SET GLOBAL memory_limit = '100GB'",
    "SET lock_configuration = false",
    "SET disabled_filesystems = ''",
    "SET VARIABLE x = 1",
    "RESET memory_limit",
    "PRAGMA enable_external_access = true",
    "PRAGMA database_list",
    "PRAGMA import_database('{lake}')",
    "CALL pragma_database_size()",
    "CALL enable_logging()",
    "CREATE TABLE shop.mine AS SELECT 1",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE VIEW mine AS SELECT * FROM read_text('{file}')",
    "CREATE MACRO mine() AS TABLE SELECT * FROM read_text('{file}')",
    "CREATE SECRET s (TYPE http)",
    "CREATE SCHEMA mine",
    "INSERT INTO shop.orders (id) VALUES (7)",
    "UPDATE shop.orders SET id = 0",
    "DELETE FROM shop.orders",
    "TRUNCATE shop.orders",
    "DROP TABLE shop.orders",
    "ALTER TABLE shop.orders ADD COLUMN x INT",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN TRANSACTION",
    "EXPLAIN ANALYZE SELECT * FROM shop.orders",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "SELECT 1; ATTACH '{other}' AS other; SELECT * FROM other.shop.diary",
    "SELECT * FROM shop.diary",
    "SELECT * FROM shop.empty",
    "SELECT buyer FROM shop.orders",
    "SELECT birth FROM shop.orders",
    "SELECT o.buyer FROM shop.orders AS o",
    "SELECT id FROM shop.orders WHERE buyer LIKE '{canary}%'",
    "SELECT id FROM shop.orders ORDER BY buyer",
    "SELECT count(*) FROM shop.orders GROUP BY birth",
    "SELECT * EXCLUDE (buyer) FROM shop.orders",
    "SELECT * FROM summary('shop.diary')",
    "SELECT * FROM shop.orders AT (VERSION => 1)",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT entry FROM shop.diary'))",
    "SELECT which_secret('{file}', 'http')",
    "SELECT $1",
]
# These may answer, for what they tell of is in the file that the role may read whole, or is DuckDB's own
HARMLESS = [
    "SELECT * FROM shop.orders",
    "SELECT shop.orders FROM shop.orders",
    "SELECT COLUMNS('.*') FROM shop.orders",
    "FROM shop.orders",
    "SUMMARIZE shop.orders",
    "DESCRIBE shop.orders",
    "SHOW ALL TABLES",
    "SELECT * FROM query('SELECT * FROM shop.orders')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM glob('{lake}/**')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM duckdb_columns()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_logs()",
    "SELECT * FROM duckdb_variables()",
    "SELECT * FROM duckdb_views()",
    "SELECT * FROM pragma_storage_info('shop.orders')",
    "SELECT * FROM pragma_table_info('shop.orders')",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT current_setting('secret_directory'), current_user, current_database()",
    "SELECT * FROM repeat_row(1, num_rows = 3)",
    "PIVOT shop_gold.numbers ON word USING count(*)",
]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with room_of("duckdb", tmp_path_factory.mktemp("room")) as made:
        yield made
        assert made.clerk.ask("SELECT count(*) FROM shop.orders").rows == [(6,)]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(room, sql):
    """No table comes back, and the message tells nothing."""
    with pytest.raises(QueryError) as refusal:
        room.clerk.ask(room.probe(sql))
    told = f"{refusal.value} {refusal.value.__cause__} {refusal.value.__context__}".replace("MEDFLOW_QUERY", "")
    assert not tells(told), told
    assert str(room.settings.home) not in told


@pytest.mark.parametrize("sql", HARMLESS)
def test_lets_nothing_out(room, sql):
    """Refused or answered: nothing that is hidden from the role is in it."""
    try:
        table = room.clerk.ask(room.probe(sql), rows=10_000)
    except QueryError as refusal:
        text = str(refusal).replace("MEDFLOW_QUERY", "")
    else:
        text = json.dumps([table.columns, table.rows], default=str)
    assert not tells(text), text[:2000]


_BARE = """
import json, sys
from pathlib import Path
from rag_backend.engines.duckdb_worker import limit_process, open_reader
order = json.load(sys.stdin)
database = open_reader(Path(order["file"]), memory=256 << 20, threads=2)
limit_process(256 << 20)
for sql in order["probes"]:
    try:
        print(repr(database.cursor().execute(sql).fetchmany(1000)))
    except Exception as error:
        print(type(error).__name__)
"""


def test_the_locked_database_itself_lets_nothing_out(room):
    """The same probes without the worker's own check that they are one SELECT: what remains is the file and its locks."""
    probes = [room.probe(sql) for sql in [*REFUSED, *HARMLESS]]
    order = json.dumps({"file": str(room.reader), "probes": probes})
    ended = subprocess.run([sys.executable, "-c", _BARE], input=order, env={}, cwd=ROOT, capture_output=True, text=True, check=False)
    answers = ended.stdout.splitlines()
    assert (ended.returncode, len(answers)) == (0, len(probes)), ended.stderr[-2000:]
    leaks = {sql: answer for sql, answer in zip(probes, answers, strict=True) if tells(answer.replace(sql, ""))}
    assert leaks == {}


def test_hidden_content_is_not_in_the_file(room):
    """Neither cells nor names of what is not granted stand anywhere in its bytes, nor in what describes it."""
    content = room.reader.read_bytes() + room.reader.with_suffix(".json").read_bytes()
    assert [word for word in (CANARY, "buyer", "birth", "diary") if word.encode() in content] == []
    assert CANARY.encode() in room.other.read_bytes()


def test_files_are_the_owner_s_alone(room):
    assert {path.stat().st_mode & 0o077 for path in [room.readers.parent, room.readers, *room.readers.iterdir()]} == {0}


def test_the_worker_has_no_environment_and_no_file_but_its_own(room):
    """Whatever bug the engine may have, this is what a stranger in that process would find."""
    for pid in room.clerk.engine.processes():
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert CANARY.encode() not in environment and b"MEDFLOW" not in environment
        opened = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
        files = {name for name in opened if name.startswith("/") and name != "/dev/null"}
        assert files <= {str(room.reader), str(room.other)}, files
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "unlimited" not in next(line for line in limits.splitlines() if line.startswith("Max address space"))
        assert next(line for line in limits.splitlines() if line.startswith("Max file size")).split()[3:5] == ["0", "0"]


def test_there_are_enough_probes():
    assert len(set(REFUSED)) >= 90 and len(set(HARMLESS)) >= 25
