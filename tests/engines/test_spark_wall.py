"""Spark's wall with the validator off: SQL that no validator would pass goes to the worker as it stands, and lets nothing out."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from rag_backend.engines.base import QueryError
from tests.engines.shop import CANARY
from tests.engines.wall import room_of, tells

# {file}: a text file with a canary; {parquet}: a data file of the lake with hidden columns; {other}: the copy of a policy that sees more
REFUSED = [
    "SELECT * FROM text.`{file}`",
    "SELECT * FROM TEXT.`{file}`",
    "SELECT * FROM csv.`{file}`",
    "SELECT * FROM json.`{file}`",
    "SELECT * FROM orc.`{file}`",
    "SELECT * FROM avro.`{file}`",
    "SELECT * FROM binaryFile.`{file}`",
    "SELECT * FROM parquet.`{parquet}`",
    "SELECT * FROM parquet.`{other}/shop.diary`",
    "SELECT * FROM `org.apache.spark.sql.parquet`.`{parquet}`",
    "SELECT * FROM iceberg.`{parquet}`",
    "SELECT * FROM delta.`{parquet}`",
    "SELECT * FROM spark_catalog.parquet.`{parquet}`",
    "SELECT * FROM shop.`../shop.diary`",
    "SELECT * FROM IDENTIFIER('text.`{file}`')",
    "SELECT * FROM IDENTIFIER('shop' || '.diary')",
    "SELECT * FROM read_files('{file}')",
    "SELECT * FROM range(3)",
    "SELECT * FROM stack(1, 2)",
    "SELECT * FROM sql_keywords()",
    "SELECT * FROM python_worker_logs()",
    "SELECT * FROM explode(array(1))",
    "SELECT reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT java_method('java.lang.System', 'getProperty', 'user.home')",
    "SELECT try_reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT builtin.reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT system.builtin.reflect('java.lang.System', 'getenv', 'PATH')",
    "SELECT input_file_name() FROM shop.orders",
    "SELECT TRANSFORM(id) USING 'cat {file}' AS (x) FROM shop.orders",
    "SELECT x FROM (SELECT TRANSFORM(id) USING 'cat {file}' AS (x) FROM shop.orders)",
    "SELECT (SELECT max(x) FROM (SELECT TRANSFORM(id) USING 'cat {file}' AS (x) FROM shop.orders))",
    "WITH t AS (SELECT TRANSFORM(id) USING 'cat {file}' AS (x) FROM shop.orders) SELECT * FROM t",
    "SELECT id FROM shop.orders WHERE id IN (SELECT TRANSFORM(id) USING 'cat' AS (x) FROM shop.orders)",
    "FROM shop.orders SELECT TRANSFORM(id) USING 'cat {file}' AS (x)",
    "FROM shop.orders MAP id USING 'cat {file}' AS (x)",
    "FROM shop.orders REDUCE id USING 'cat {file}' AS (x)",
    "SET spark.sql.runSQLOnFiles = true",
    "SET spark.sql.variable.substitute = true",
    "SET",
    "SET VAR x = 1",
    "RESET",
    "DECLARE x INT = 1",
    "BEGIN SELECT 1; END",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "ADD JAR '{file}'",
    "ADD FILE '{file}'",
    "LIST FILES",
    "CREATE FUNCTION f AS 'java.lang.Runtime' USING JAR '{file}'",
    "CREATE TEMPORARY FUNCTION f AS 'org.apache.spark.sql.catalyst.expressions.CallMethodViaReflection'",
    "CREATE TEMPORARY VIEW v USING text OPTIONS (path '{file}')",
    "CREATE TEMPORARY VIEW v AS SELECT * FROM shop.orders",
    "CREATE TABLE shop.mine USING text LOCATION '{file}'",
    "CREATE TABLE shop.mine AS SELECT 1",
    "CREATE DATABASE mine LOCATION '{other}'",
    "INSERT INTO shop.orders (id) VALUES (7)",
    "INSERT OVERWRITE DIRECTORY '{file}.d' USING csv SELECT * FROM shop.orders",
    "INSERT OVERWRITE LOCAL DIRECTORY '{file}.d' SELECT * FROM shop.orders",
    "FROM shop.orders INSERT INTO shop_gold.numbers SELECT id, note",
    "LOAD DATA LOCAL INPATH '{file}' INTO TABLE shop.orders",
    "DELETE FROM shop.orders",
    "UPDATE shop.orders SET id = 0",
    "TRUNCATE TABLE shop.orders",
    "DROP TABLE shop.orders",
    "ALTER TABLE shop.orders SET LOCATION '{other}/shop.diary'",
    "REFRESH TABLE shop.orders",
    "CACHE TABLE shop.orders",
    "ANALYZE TABLE shop.orders COMPUTE STATISTICS",
    "SHOW TABLES",
    "SHOW CREATE TABLE shop.orders",
    "DESCRIBE EXTENDED shop.orders",
    "EXPLAIN EXTENDED SELECT * FROM shop.orders",
    "USE shop",
    "CALL shop.f()",
    "TABLE shop.diary",
    "SELECT * FROM shop.diary",
    "SELECT * FROM shop.empty",
    "SELECT buyer FROM shop.orders",
    "SELECT birth FROM shop.orders",
    "SELECT id FROM shop.orders WHERE buyer LIKE '{canary}%'",
    "SELECT id FROM shop.orders ORDER BY buyer",
    "SELECT * FROM shop.orders VERSION AS OF 1",
    "SELECT * FROM shop.orders TIMESTAMP AS OF '2026-01-01'",
    "SELECT * FROM shop.orders TABLESAMPLE (10 PERCENT)",
    "SELECT * FROM shop.orders.files",
    "SELECT * FROM VALUES (1)",
    "SELECT explode(array(1, 2))  FROM shop.orders LATERAL VIEW explode(tags) t AS tag",
    "SELECT ssn FROM shop.orders -- \\\n LIMIT 0",
    "SELECT * FROM xpath_missing('{file}')",
    "SELECT :p",
    "SELECT 1; SELECT entry FROM shop.diary",
]
# These may answer: what they tell is in the copy that the role may read whole, or is Spark's own
HARMLESS = [
    "SELECT * FROM shop.orders",
    "SELECT o.* FROM shop.orders AS o",
    "SELECT '${env:MEDFLOW_PSEUDONYM_KEY}', '${system:user.home}', '${spark.master}'",
    "SELECT '${MEDFLOW_PSEUDONYM_KEY}'",
    "SELECT current_user(), current_catalog(), current_database(), version()",
    "SELECT _metadata.file_name FROM shop.orders",
    "SELECT count(*) FROM shop_gold.numbers",
    "SELECT raise_error('x')",
    "SELECT from_json('{}', 'a INT')",
    "SELECT struct(*) FROM shop.orders",
    "SELECT to_json(struct(*)) FROM shop.orders",
    "SELECT * FROM (SELECT id FROM shop.orders) WHERE id > (SELECT min(n) FROM shop_gold.numbers)",
    "SELECT aes_decrypt(unhex('00'), '0000111122223333')",
    "SELECT 'a\n+- Project [entry]' FROM shop.orders",
]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with room_of("spark", tmp_path_factory.mktemp("spark-room")) as made:
        yield made


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(room, sql):
    """No table comes back, and the message tells nothing."""
    with pytest.raises(QueryError) as refusal:
        room.clerk.ask(room.probe(sql), seconds=120.0)
    told = f"{refusal.value} {refusal.value.__cause__} {refusal.value.__context__}".replace("MEDFLOW_QUERY", "")
    assert not tells(told), told
    assert str(room.settings.home) not in told


@pytest.mark.parametrize("sql", HARMLESS)
def test_lets_nothing_out(room, sql):
    """Refused or answered: nothing that is hidden from the role is in it."""
    try:
        table = room.clerk.ask(room.probe(sql), rows=1_000, seconds=120.0)
    except QueryError as refusal:
        text = str(refusal).replace("MEDFLOW_QUERY", "")
    else:
        text = json.dumps([table.columns, table.rows], default=str)
    assert not tells(text, sql), text[:2000]


def test_hidden_content_is_not_in_the_copy(room):
    """Neither cells nor names of what is not granted stand anywhere in its bytes."""
    files = [path for path in room.reader.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert files and [word for word in (CANARY, "buyer", "birth", "diary") if word.encode() in content] == []


def test_the_worker_has_no_secret_in_its_environment(room):
    """Nor has the JVM that it starts."""
    read, groups = 0, set(room.clerk.engine.processes())
    for pid in [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]:
        with suppress(ProcessLookupError):  # it has ended since
            if os.getpgid(pid) in groups:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                assert CANARY.encode() not in environment and b"MEDFLOW" not in environment
                read += 1
    assert read >= 2


def test_there_are_enough_probes():
    assert len(set(REFUSED)) >= 85 and len(set(HARMLESS)) >= 12
