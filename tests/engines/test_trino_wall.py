"""Trino's wall with the validator off: whatever a role's user sends to the server itself, it lets out and changes nothing."""

from __future__ import annotations

import json
import threading
import time

import psycopg2
import pytest
from trino.exceptions import TrinoQueryError

from rag_backend.engines.base import Cancellation, EngineUnavailable, Query, QueryError
from rag_backend.engines.trino import TrinoEngine, server_of
from rag_backend.engines.trino_files import READER
from rag_backend.engines.trino_rules import user_of
from tests.engines.conftest import Clerk
from tests.engines.shop import CANARY, CLERK, OWNER, Policy
from tests.services.postgres import PASSWORD
from tests.services.trino import OPERATOR

REFUSED = [
    "SELECT * FROM shop.diary",
    "SELECT * FROM lake.shop.empty",
    "SELECT buyer FROM shop.orders",
    "SELECT birth FROM shop.orders",
    "SELECT * FROM shop.orders",
    "SELECT o.buyer FROM shop.orders AS o",
    "SELECT id FROM shop.orders WHERE buyer LIKE '{canary}%'",
    "SELECT id FROM shop.orders ORDER BY buyer",
    "SELECT count(*) FROM shop.orders GROUP BY birth",
    "SELECT count(buyer) FROM shop.orders",
    "SELECT CAST(buyer AS INTEGER) FROM shop.orders",
    "SELECT max(buyer) OVER () FROM shop.orders",
    "SELECT id FROM shop.orders WHERE (SELECT max(buyer) FROM shop.orders) > 'a'",
    "WITH o AS (SELECT * FROM shop.orders) SELECT id FROM o WHERE buyer = 'x'",
    "SELECT buyer FROM shop.orders FOR VERSION AS OF {snapshot}",
    "SELECT * FROM shop.diary FOR TIMESTAMP AS OF TIMESTAMP '2100-01-01 00:00:00'",
    'SELECT "$path" FROM shop.orders',
    'SELECT "$partition" FROM shop.orders',
    'SELECT "$file_modified_time" FROM shop.orders',
    "SELECT id FROM shop.orders WHERE \"$path\" LIKE '%a%'",
    'SELECT * FROM shop."orders$files"',
    'SELECT * FROM shop."orders$history"',
    'SELECT * FROM shop."orders$snapshots"',
    'SELECT * FROM shop."orders$manifests"',
    'SELECT * FROM shop."orders$all_manifests"',
    'SELECT * FROM shop."orders$partitions"',
    'SELECT * FROM shop."orders$properties"',
    'SELECT * FROM shop."orders$refs"',
    'SELECT * FROM shop."orders$entries"',
    'SELECT * FROM shop."orders$all_entries"',
    'SELECT * FROM shop."orders$metadata_log_entries"',
    'SELECT * FROM shop."orders$data"',
    'SELECT * FROM shop."diary$files"',
    "SELECT * FROM TABLE(lake.system.table_changes('shop', 'orders', 1, 2))",
    "SELECT * FROM TABLE(system.builtin.exclude_columns(input => TABLE(shop.orders), columns => DESCRIPTOR(id)))",
    "SELECT * FROM system.runtime.queries",
    "SELECT * FROM system.runtime.nodes",
    "SELECT * FROM system.metadata.catalogs",
    "SELECT * FROM system.metadata.table_properties",
    "SELECT * FROM system.jdbc.columns",
    "CALL system.runtime.kill_query(query_id => '20200101_000000_00000_aaaaa')",
    "CALL lake.system.rollback_to_snapshot('shop', 'orders', 1)",
    "CALL lake.system.register_table('shop', 'mine', 's3://medflow-lake/warehouse/x')",
    "CALL lake.system.unregister_table('shop', 'orders')",
    "CALL lake.system.migrate('shop', 'orders')",
    "CALL lake.system.flush_metadata_cache()",
    "SET SESSION query_max_run_time = '1d'",
    "SET SESSION query_max_memory = '100GB'",
    "SET SESSION lake.projection_pushdown_enabled = false",
    "SET SESSION AUTHORIZATION medflow_owner",
    "SET SESSION AUTHORIZATION operator",
    "SET ROLE admin IN lake",
    "CREATE TABLE shop.mine AS SELECT 1 AS x",
    "CREATE TABLE shop.mine (x integer)",
    "CREATE OR REPLACE TABLE shop.orders AS SELECT 1 AS x",
    "CREATE VIEW shop.mine AS SELECT entry FROM shop.diary",
    "CREATE MATERIALIZED VIEW shop.mine AS SELECT entry FROM shop.diary",
    "CREATE SCHEMA lake.mine",
    "CREATE SCHEMA lake.mine WITH (location = 's3://medflow-lake/elsewhere')",
    "DROP SCHEMA shop CASCADE",
    "ALTER SCHEMA shop RENAME TO mine",
    "CREATE CATALOG mine USING memory",
    "DROP CATALOG lake",
    "CREATE FUNCTION lake.shop.f() RETURNS bigint RETURN 1",
    "CREATE ROLE mine IN lake",
    "GRANT SELECT ON shop.diary TO USER medflow_clerk",
    "REVOKE SELECT ON shop.orders FROM USER medflow_clerk",
    "DENY SELECT ON shop.orders TO USER medflow_owner",
    "INSERT INTO shop.orders (id) VALUES (7)",
    "INSERT INTO shop_gold.numbers VALUES (7, 'x')",
    "UPDATE shop_gold.numbers SET n = 0",
    "DELETE FROM shop_gold.numbers",
    "MERGE INTO shop_gold.numbers a USING shop_gold.numbers b ON a.n = b.n WHEN MATCHED THEN DELETE",
    "TRUNCATE TABLE shop_gold.numbers",
    "DROP TABLE shop.orders",
    "ALTER TABLE shop.orders ADD COLUMN x integer",
    "ALTER TABLE shop.orders DROP COLUMN buyer",
    "ALTER TABLE shop.orders RENAME TO mine",
    "ALTER TABLE shop_gold.numbers EXECUTE optimize",
    "ALTER TABLE shop_gold.numbers EXECUTE expire_snapshots(retention_threshold => '7d')",
    "ALTER TABLE shop_gold.numbers EXECUTE remove_orphan_files(retention_threshold => '7d')",
    "COMMENT ON TABLE shop.orders IS 'x'",
    "ANALYZE shop.orders",
    "SHOW CREATE TABLE shop.diary",
    "SHOW STATS FOR shop.diary",
    "SHOW STATS FOR shop.orders",
    "SHOW STATS FOR (SELECT buyer FROM shop.orders)",
    "SHOW COLUMNS FROM shop.diary",
    "SHOW CREATE SCHEMA shop",
    "DESCRIBE shop.diary",
    "EXPLAIN SELECT * FROM shop.diary",
    "EXPLAIN ANALYZE SELECT buyer FROM shop.orders",
    "EXPLAIN (TYPE IO, FORMAT JSON) SELECT * FROM shop.diary",
    "EXECUTE IMMEDIATE 'SELECT entry FROM shop.diary'",
    "EXECUTE IMMEDIATE 'SELECT buyer FROM shop.orders WHERE id = ?' USING 1",
    "TABLE shop.diary",
    "SELECT 1; SELECT entry FROM shop.diary",
    "SELECT fail('x')",
]
# These may answer: what they tell is the role's own, or Trino's own
HARMLESS = [
    "SELECT id, note FROM shop.orders",
    "SELECT * FROM shop_gold.numbers",
    "SHOW CATALOGS",
    "SHOW SCHEMAS FROM lake",
    "SHOW TABLES FROM shop",
    "SHOW COLUMNS FROM shop.orders",
    "SHOW FUNCTIONS",
    "SHOW SESSION",
    "SHOW ROLES FROM lake",
    "SHOW GRANTS ON TABLE shop.orders",
    "SHOW STATS FOR (SELECT id FROM shop.orders)",
    "DESCRIBE shop.orders",
    "SHOW CREATE TABLE shop.orders",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM information_schema.views",
    "SELECT * FROM information_schema.table_privileges",
    "SELECT * FROM information_schema.schemata",
    "SELECT * FROM information_schema.roles",
    "SELECT * FROM information_schema.applicable_roles",
    "SELECT current_user, current_catalog, current_schema, version()",
    "SELECT CURRENT_PATH",
    "EXPLAIN SELECT id FROM shop.orders",
    "SELECT count(*) FROM shop.orders",
    "SELECT count(*) FROM shop.diary",
    "SELECT * FROM TABLE(sequence(1, 3))",
    "WITH FUNCTION f() RETURNS bigint RETURN 7 SELECT f()",
    "PREPARE p FROM SELECT 1",
    "USE lake.shop",
    "START TRANSACTION",
    "RESET SESSION query_max_run_time",
]
_TELLING = [CANARY, "diary", "buyer", "birth", "s3://", "select 'another'"]


@pytest.fixture(scope="module")
def server(trino_shop, postgres_server):
    """Where the statements go, without anything of ours before it; the lake is as it was afterwards."""
    found = server_of(trino_shop.query_engine)[0]
    before = _lake(postgres_server)
    yield found
    assert _lake(postgres_server) == before
    assert sent(found, user_of(CLERK), "SELECT count(*) FROM shop.orders") == [[6]]


def _lake(postgres) -> list[tuple]:
    """What the catalog says of every table, and who may do what."""
    with psycopg2.connect(postgres.url("lake")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_namespace, table_name, metadata_location FROM iceberg_tables WHERE table_namespace LIKE 'shop%' ORDER BY 1, 2"
        )
        return cursor.fetchall()


def sent(server, user: str, sql: str) -> list:
    """The rows of a statement as the protocol gives them."""
    request = server.request(user)
    status = request.process(request.post(sql))
    rows = list(status.rows)
    while status.next_uri:
        status = request.process(request.get(status.next_uri))
        rows += status.rows
    return rows


def told(text: str, asked: str) -> list[str]:
    return [word for word in _TELLING if word in text and word not in asked]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(server, trino_clerk, sql):
    """No rows come back from the server itself, and what it says holds no cell."""
    sql = sql.replace("{canary}", CANARY).replace("{snapshot}", str(trino_clerk.snapshot("shop.orders")))
    with pytest.raises(TrinoQueryError) as refusal:
        sent(server, user_of(CLERK), sql)
    assert CANARY not in str(refusal.value).replace(sql, "")


@pytest.mark.parametrize("sql", REFUSED)
def test_our_errors_tell_nothing(trino_clerk, sql):
    """The same through the engine: our own words, without names of what is hidden or the server's text."""
    sql = sql.replace("{canary}", CANARY).replace("{snapshot}", str(trino_clerk.snapshot("shop.orders")))
    with pytest.raises(QueryError) as refusal:
        trino_clerk.ask(sql)
    assert not told(f"{refusal.value} {refusal.value.__cause__} {refusal.value.__context__}", "")


@pytest.mark.parametrize("sql", HARMLESS)
def test_lets_nothing_out(server, sql):
    """Refused or answered: nothing that is hidden from the role is in it."""
    try:
        rows = sent(server, user_of(CLERK), sql)
    except TrinoQueryError:
        return
    assert not told(json.dumps(rows), sql)


def test_hidden_and_missing_are_told_alike(trino_clerk):
    """Nobody learns by errors which tables or columns there are."""
    for hidden, missing in [
        ("SELECT entry FROM shop.diary", "SELECT a FROM shop.nothing"),
        ("SELECT buyer FROM shop.orders", "SELECT nothing FROM shop.orders"),
    ]:
        refusals = []
        for sql in (hidden, missing):
            with pytest.raises(QueryError) as refusal:
                trino_clerk.ask(sql)
            refusals.append((str(refusal.value), refusal.value.reason))
        assert refusals[0] == refusals[1]


@pytest.mark.parametrize("user", ["medflow", "medflow_admin", "medflow_clerk2", "xmedflow_clerk", "MEDFLOW_CLERK", "trino", ""])
def test_nobody_else_may_ask(server, user):
    """A user whom no policy made runs nothing at all."""
    with pytest.raises(Exception, match=r"(?i)denied|cannot|must be sent"):
        sent(server, user, "SELECT n FROM shop_gold.numbers")


def test_an_owner_reads_what_a_clerk_may_not(server):
    """The wall stands between roles, not before all."""
    assert sent(server, user_of(OWNER), "SELECT entry FROM shop.diary") == [[f"{CANARY}-diary"]]


def test_other_users_queries_are_not_seen_or_ended(server):
    """Neither by SQL nor at the server's own pages."""
    request = server.request(OPERATOR)
    status = request.process(
        request.post(
            "SELECT 'another' , count(*) FROM shop_gold.numbers a, shop_gold.numbers b, shop_gold.numbers c WHERE (a.n * b.n + c.n) % 7 = 3"
        )
    )
    while status.stats["state"] != "RUNNING":  # before that it is nobody's yet
        status = request.process(request.get(status.next_uri))
    clerk = server.request(user_of(CLERK))
    seen = clerk._http_session.get(f"http://{server.host}:{server.port}/v1/query/{status.id}", headers=clerk.http_headers, timeout=30)
    ended = clerk._http_session.delete(f"http://{server.host}:{server.port}/v1/query/{status.id}", headers=clerk.http_headers, timeout=30)
    assert seen.status_code >= 400 and ended.status_code >= 400
    listed = clerk._http_session.get(f"http://{server.host}:{server.port}/v1/query", headers=clerk.http_headers, timeout=30)
    assert "another" not in listed.text
    assert state_of(server, status.id) == "RUNNING"
    request.delete(status.next_uri)


def test_a_session_property_in_the_request_itself_is_refused(server):
    """A limit is not raised by a header either."""
    request = server.request(user_of(CLERK))
    with pytest.raises(TrinoQueryError, match=r"(?i)denied"):
        request.process(request.post("SELECT 1", {"X-Trino-Session": "query_max_run_time=1d"}))
        status = request.process(request.post("SELECT n FROM shop_gold.numbers", {"X-Trino-Session": "query_max_run_time=1d"}))
        while status.next_uri:
            status = request.process(request.get(status.next_uri))


def state_of(server, query: str) -> str:
    """The state of a statement, as its operator sees it."""
    rows = sent(server, OPERATOR, f"SELECT state FROM system.runtime.queries WHERE query_id = '{query}'")
    return rows[0][0] if rows else "gone"


def running(server, user: str) -> list[str]:
    """A role's statements that have not ended."""
    sql = f"SELECT query_id FROM system.runtime.queries WHERE \"user\" = '{user}' AND state NOT IN ('FINISHED', 'FAILED')"
    return [query for (query,) in sent(server, OPERATOR, sql)]


_ENDLESS = "SELECT count(*) FROM shop_gold.numbers a, shop_gold.numbers b, shop_gold.numbers c WHERE (a.n * b.n + c.n) % 7 = 3"


@pytest.mark.parametrize("how", ["time", "cancel"])
def test_a_stopped_query_has_ended_in_the_server(server, trino_clerk, how):
    """At its time limit, or cancelled: nothing of it runs when the asker is told."""
    trino_clerk.ask("SELECT 1")
    cancel = Cancellation()
    if how == "cancel":
        threading.Timer(2.0, cancel.cancel).start()
    with pytest.raises(QueryError):
        trino_clerk.ask(_ENDLESS, seconds=60.0 if how == "cancel" else 2.0, cancel=cancel)
    assert running(server, user_of(CLERK)) == []


def test_a_query_whose_asker_is_gone_ends(server):
    """Nobody fetches it: the server's own limit ends it."""
    request = server.request(user_of(CLERK))
    status = request.process(request.post(_ENDLESS))
    latest = time.monotonic() + 60
    while state_of(server, status.id) not in ("FAILED", "gone"):
        assert time.monotonic() < latest
        time.sleep(1)


def test_rules_wider_than_the_policy_are_seen(trino_shop):
    """A role whose policy was narrowed since the rules were written is not served, and it is said what to do."""
    narrowed = Policy({"shop_gold.numbers": ("n",)}, "clerk")
    engine = TrinoEngine(trino_shop)
    with pytest.raises(EngineUnavailable, match="medflow setup --trino"):
        engine.run(Query("SELECT 1", 1, narrowed, 1, 30.0), Cancellation())
    engine.close()


def test_no_rules_are_seen(trino_shop, monkeypatch):
    """A server that shows a role's user everything, here the operator's all, is not asked."""
    monkeypatch.setattr("rag_backend.engines.trino.user_of", lambda *_: OPERATOR)
    engine = TrinoEngine(trino_shop)
    with pytest.raises(EngineUnavailable, match="medflow setup --trino"):
        engine.run(Query("SELECT 1", 1, OWNER, 1, 30.0), Cancellation())
    engine.close()


def test_the_catalog_s_user_reads_pointers_and_nothing_else(postgres_server, trino_shop):
    """What stands in Trino's hands cannot change the lake's catalog, nor read the ledger."""
    assert trino_shop.query_engine
    url = postgres_server.url("lake").replace("medflow:", f"{READER}:", 1)
    assert PASSWORD in url
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM iceberg_tables")
        for sql in (
            "UPDATE iceberg_tables SET metadata_location = 'x'",
            "SET default_transaction_read_only = off; DELETE FROM iceberg_tables",
            "SELECT * FROM medflow_releases",
            "CREATE TABLE mine (x int)",
        ):
            with pytest.raises(psycopg2.Error):
                cursor.execute(sql)
    connection.close()


def test_the_catalog_is_read_only_for_its_operator_too(server):
    """Rules that somebody got wrong do not open the lake for writing."""
    for sql in ("DELETE FROM shop_gold.numbers", "DROP TABLE shop.orders", "CREATE TABLE shop.mine (x integer)"):
        with pytest.raises(TrinoQueryError):
            sent(server, OPERATOR, sql)


def test_there_are_enough_probes():
    assert len(set(REFUSED)) >= 90 and len(set(HARMLESS)) >= 25


@pytest.fixture(scope="module")
def trino_clerk(trino_shop):
    engine = TrinoEngine(trino_shop)
    yield Clerk(engine, trino_shop)
    engine.close()
