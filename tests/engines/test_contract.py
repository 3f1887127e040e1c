"""What every query engine promises."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal

import pytest
from sqlglot import exp, parse_one

from rag_backend.engines.base import Cancellation, QueryCancelled, QueryError, QueryFailed, QueryTimeout, QueryTooLarge
from tests.engines.shop import CANARY, CLERK, HIDDEN, MANY, NOTES, ORDERS, order_rows

_ENDLESS = "SELECT count(*) FROM shop_gold.numbers a, shop_gold.numbers b, shop_gold.numbers c WHERE (a.n * b.n + c.n) % 7 = 3"
_ENDS_WITHIN = 8.0  # seconds beyond the limit that a busy machine may take; an endless query would take hours


def test_every_type_comes_back_as_it_was(clerk):
    """Decimals at full scale, dates, instants in UTC, lists, maps, structs, nulls, unicode: cell by cell what was published."""
    columns = CLERK.tables["shop.orders"]
    table = clerk.ask(f"SELECT {', '.join(columns)} FROM shop.orders ORDER BY id")
    expected = order_rows() | {"extra": [None if e is None else dict(e) for e in order_rows()["extra"]]}
    for place, name in enumerate(columns):
        assert [row[place] for row in table.rows] == expected[name], name
        assert [type(row[place]) for row in table.rows] == [type(cell) for cell in expected[name]], name
    assert [(column.name, column.type) for column in table.columns] == [(name, ORDERS[name]) for name in columns]


def test_a_decimal_keeps_its_scale(clerk):
    """0.00 is not 0, and a sum of money is a decimal, never a float."""
    (row,) = clerk.ask("SELECT sum(amount), min(CASE WHEN amount = 0 THEN amount END) FROM shop.orders").rows
    assert (str(row[0]), str(row[1])) == ("10000000013.58", "0.00")


def test_text_is_untouched(clerk):
    """Quotes, line breaks, NUL, empty and null texts are told apart."""
    assert [row[0] for row in clerk.ask("SELECT note FROM shop.orders ORDER BY id").rows] == NOTES


def test_no_rows_still_have_columns(clerk):
    table = clerk.ask("SELECT id, note FROM shop.orders WHERE id = 0")
    assert (table.rows, table.truncated, [column.name for column in table.columns]) == ([], False, ["id", "note"])


@pytest.mark.parametrize(
    ("limit", "kept", "truncated"),
    [(1, 1, True), (999, 999, True), (MANY - 1, MANY - 1, True), (MANY, MANY, False), (MANY + 1, MANY, False)],
)
def test_rows_are_capped_and_it_is_said(clerk, limit, kept, truncated):
    """At most the limit; `truncated` exactly if one more row existed."""
    table = clerk.ask("SELECT n FROM shop_gold.numbers ORDER BY n", rows=limit)
    assert [row[0] for row in table.rows] == list(range(kept))
    assert table.truncated is truncated


def test_a_query_is_stopped_at_its_time_limit(clerk):
    """It ends with QueryTimeout, near its limit, and the engine answers the next one."""
    started = time.monotonic()
    with pytest.raises(QueryTimeout, match="QUERY_TIMEOUT_S"):
        clerk.ask(_ENDLESS, seconds=0.5)
    assert 0.5 <= time.monotonic() - started < 0.5 + _ENDS_WITHIN
    assert clerk.ask("SELECT 1").rows == [(1,)]


def test_another_thread_cancels(clerk):
    """A thrown switch ends the query that runs under it."""
    clerk.ask("SELECT 1")
    cancel = Cancellation()
    threading.Timer(0.5, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(QueryCancelled):
        clerk.ask(_ENDLESS, cancel=cancel)
    assert 0.4 <= time.monotonic() - started < 0.5 + _ENDS_WITHIN
    assert clerk.ask("SELECT 2").rows == [(2,)]


def test_a_cancelled_query_never_starts(clerk):
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(QueryCancelled):
        clerk.ask("SELECT 1", cancel=cancel)


# One cell that outgrows memory, each in the way of its engine: Trino's texts of one call are not counted (docs/decisions/0030)
_ONE_CELL = {
    "duckdb": ["SELECT repeat('a', 1000000000)", "SELECT length(repeat('a', 1000000000))"],
    "trino": [
        "SELECT array_agg(a.word) FROM shop_gold.numbers a, shop_gold.numbers b",
        "SELECT cardinality(array_agg(a.word)) FROM shop_gold.numbers a, shop_gold.numbers b",
    ],
    "spark": ["SELECT repeat('a', 1000000000)", "SELECT length(repeat('a', 1000000000))"],
}
_LONG_TEXT = {"duckdb": "repeat(word, 20000)", "trino": "rpad(word, 120000, word)", "spark": "repeat(word, 20000)"}


@pytest.mark.parametrize("place", [0, 1])
def test_one_cell_is_capped(clerk, place):
    """A bomb in one cell ends as QueryTooLarge; the engine lives."""
    with pytest.raises(QueryTooLarge, match="QUERY_MEMORY"):
        clerk.ask(_ONE_CELL[clerk.engine.name][place], rows=10)
    assert clerk.ask("SELECT 3").rows == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(DISTINCT concat(CAST(a.n AS VARCHAR), '-', CAST(b.n AS VARCHAR), note)) FROM shop_gold.numbers a, shop_gold.numbers b, shop.orders",
        "SELECT a.n, b.n FROM shop_gold.numbers a, shop_gold.numbers b ORDER BY a.n * b.n, a.word, b.word",
    ],
)
def test_memory_is_capped(clerk, sql):
    """A bomb ends as QueryTooLarge; the engine lives. Spark puts on disk what does not fit: there it may also be time that ends it."""
    if clerk.engine.name == "spark":
        with suppress(QueryTooLarge, QueryTimeout):
            assert len(clerk.ask(sql, rows=10, seconds=20.0).rows) == 10
    else:
        with pytest.raises(QueryTooLarge, match="QUERY_MEMORY"):
            clerk.ask(sql, rows=10)
    assert clerk.ask("SELECT 3").rows == [(3,)]


def test_a_result_too_big_to_send_is_refused(clerk):
    """Few rows can be many bytes."""
    with pytest.raises(QueryTooLarge):
        clerk.ask(f"SELECT {_LONG_TEXT[clerk.engine.name]} FROM shop_gold.numbers", rows=MANY)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT FROM WHERE", "syntax or types"),
        ("SELECT a FROM shop.nothing", "unknown_name"),
        ("SELECT no_such_function(1)", "unknown_name"),
        ("SELECT nothing FROM shop.orders", "types"),
        ("SELECT CAST(note AS INT) FROM shop.orders", "conversion"),
        ("SELECT CAST(units AS INT) FROM shop.orders", "conversion or out_of_range"),
        ("SELECT CAST(n AS BIGINT) * 9223372036854775807 FROM shop_gold.numbers", "out_of_range"),
        ("SELECT 1; SELECT 2", "not_allowed"),
        ("DROP TABLE shop.orders", "not_allowed"),
        ("", "not_allowed"),
    ],
)
def test_a_failure_has_a_reason(clerk, sql, reason):
    with pytest.raises(QueryFailed) as failure:
        clerk.ask(sql)
    assert failure.value.reason in reason.split(" or ")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(note AS INT) FROM shop.orders",
        "SELECT CAST(note AS DATE) FROM shop.orders",
        "SELECT CAST(units AS TINYINT) FROM shop.orders",
        "SELECT CAST(concat('secret', note) AS DECIMAL(3,1)) FROM shop.orders",
    ],
)
def test_messages_hold_no_cell(clerk, sql):
    """An engine's own text quotes the value that it could not convert; ours never does."""
    with pytest.raises(QueryFailed) as failure:
        clerk.ask(sql)
    told = f"{failure.value} {failure.value.__cause__} {failure.value.__context__}"
    assert not [note for note in ["plain", "secret", "code ✓", str(2**62)] if note in told]


def test_two_queries_run_at_once(clerk):
    """A short one does not wait for a long one, and no answer goes to the wrong asker."""
    cancel = Cancellation()
    with ThreadPoolExecutor(9) as threads:
        long = threads.submit(clerk.ask, _ENDLESS, cancel=cancel)
        short = [threads.submit(clerk.ask, f"SELECT {n}, count(*) FROM shop.orders") for n in range(8)]
        assert [answer.result(240).rows for answer in short] == [[(n, 6)] for n in range(8)]
        assert not long.done()
        cancel.cancel()
        assert isinstance(long.exception(60), QueryCancelled)


def test_row_counts_of_readable_tables(clerk):
    """What a scan costs; nothing about tables that the policy does not name."""
    assert clerk.engine.row_counts(1, CLERK) == {"shop.orders": 6, "shop_gold.numbers": MANY}


def test_a_pinned_table_can_be_read(clerk):
    """The engine itself says how a table is written."""
    pin = clerk.engine.pin("shop.orders", clerk.snapshot("shop.orders"))
    select = parse_one(f"SELECT COUNT(*) FROM {pin}", dialect=clerk.engine.dialect)
    assert [table.name for table in select.find_all(exp.Table)] == ["orders"]
    assert clerk.ask(select.sql(clerk.engine.dialect)).rows == [(6,)]


@pytest.mark.parametrize(
    "sql", ["SELECT buyer FROM shop.orders", "SELECT entry FROM shop.diary", "SELECT o.birth FROM shop.orders o WHERE birth > 0"]
)
def test_what_is_not_granted_cannot_be_read(clerk, sql):
    """Beneath the validator, the engine itself does not have it."""
    with pytest.raises(QueryError) as failure:
        clerk.ask(sql)
    assert CANARY not in str(failure.value) and not any(cell in str(failure.value) for cell in HIDDEN)


def test_sums_of_whole_numbers_are_whole(clerk):
    (row,) = clerk.ask("SELECT sum(n), count(*), avg(CAST(n AS DECIMAL(10,2))) FROM shop_gold.numbers").rows
    assert row[:2] == (sum(range(MANY)), MANY) and isinstance(row[0], int)
    assert Decimal(str(row[2])) == Decimal(sum(range(MANY))) / MANY
