"""What is written into a cache and read back is the same, to the last digit and of the same types."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_backend.cache import outcomes, results
from rag_backend.cache.results import Result
from rag_backend.engines.base import ResultColumn, Table
from rag_backend.planners.base import Clarify, Definition, Greeting, Option, Outcome, Planned, Refused, Span
from rag_backend.query.compile import OutputColumn
from rag_backend.query.typed_query import Condition, GroupBy, Having, Limit, MetricUse, Order, Time, TypedQuery, Unit, Window
from tests.support.counts import counted

_ZONES = st.sampled_from([UTC, None, timezone(timedelta(hours=-5, minutes=-30)), timezone(timedelta(seconds=3_601))])
_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**127), 2**128),
    st.floats(),
    st.text(st.characters()),  # lone surrogates, NUL, quotes and line breaks among them
    st.decimals(),
    st.decimals(allow_nan=False, allow_infinity=False, places=12),
    st.dates(),
    st.datetimes(timezones=_ZONES),
    st.sampled_from(
        ["", "\x00", "'", '"', "\\", "\ud800", "\ud83d\ude00", "\u2028", "{}", '{"decimal":"1"}', "decimal", "\u00e9", "e\u0301"]
    ),
    st.sampled_from([Decimal("0.00"), Decimal("-0"), Decimal("1E+400"), Decimal("NaN"), Decimal("1.10"), Decimal("10000000013.58")]),
    st.sampled_from([0.0, -0.0, 1.0, 1e16, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, math.inf, -math.inf, math.nan]),
)
_CELLS = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=4),
    max_leaves=12,
)


def _alike(one: Any, other: Any) -> bool:
    """Equal and of one type: 1 is not 1.0, 0 not -0, 0.0 not 0.00, an instant not the same instant elsewhere."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return math.isnan(one) == math.isnan(other) and (
            math.isnan(one) or (one == other and math.copysign(1, one) == math.copysign(1, other))
        )
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    if isinstance(one, datetime):
        return one.replace(tzinfo=None) == other.replace(tzinfo=None) and one.utcoffset() == other.utcoffset()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(_alike, one.values(), other.values()))
    return bool(one == other)


def _result(rows: list[tuple[Any, ...]], width: int) -> Result:
    columns = tuple(ResultColumn(f"c{number}", "struct<a:int,b:string>") for number in range(width))
    meanings = tuple(OutputColumn(f"c{number}", "a label, \x00 and 'quotes'", "USD", "metric") for number in range(width))
    return Result("SELECT '\"'", meanings, "gold.totals", Table(columns, rows, bool(rows), 0.25))


@settings(max_examples=counted(300, 5_000), deadline=None)
@given(st.integers(1, 5).flatmap(lambda width: st.tuples(st.just(width), st.lists(st.tuples(*[_CELLS] * width), max_size=5))))
def test_every_cell_comes_back_as_it_was(given_: tuple[int, list[tuple[Any, ...]]]) -> None:
    """Decimals at full scale, dates, instants, NaN, infinities, big integers, any text, lists and dicts, in rows and columns."""
    width, rows = given_
    result = _result(rows, width)
    found = results.read(results.written(result))
    assert (found.sql, found.columns, found.source) == (result.sql, result.columns, result.source)
    assert (found.table.columns, found.table.truncated, found.table.elapsed) == (result.table.columns, result.table.truncated, 0.25)
    assert _alike(found.table.rows, rows)
    assert all(type(row) is tuple for row in found.table.rows)


def test_no_rows_and_no_columns_come_back() -> None:
    for rows, width in (([], 3), ([], 0), ([()], 0)):
        assert results.read(results.written(_result(rows, width))) == _result(rows, width)


@pytest.mark.parametrize("cell", [b"bytes", {1: "a"}, {None: 1}, object(), (1, 2), {1, 2}, timedelta(1), [b"x"], {"a": 1j}])
def test_what_no_table_holds_is_not_written(cell: Any) -> None:
    """An error, and so not kept; never something alike."""
    with pytest.raises(TypeError):
        results.written(_result([(cell,)], 1))


def test_a_huge_table_is_not_even_tried() -> None:
    with pytest.raises(ValueError, match="too many"):
        results.written(_result([(1, 2, 3)] * 200_000, 3))


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: [*content, 1],
        lambda content: {"sql": content[0]},
        lambda content: [*content[:4], [[1]], *content[5:]],
        lambda content: [*content[:4], [[1, {"decimal": "x"}]], *content[5:]],
        lambda content: [*content[:4], [[1, {"unknown": "1"}]], *content[5:]],
        lambda content: [*content[:4], [[1, {"decimal": "1", "date": "2026-01-01"}]], *content[5:]],
        lambda content: [*content[:4], [[1, {}]], *content[5:]],
        lambda content: [*content[:3], [["c0"]], *content[4:]],
        lambda content: [*content[:2], [["c0", "label"]], *content[3:]],
        lambda content: [*content[:4], 7, *content[5:]],
    ],
)
def test_another_form_is_no_table(change: Any) -> None:
    """Parsed strictly: what does not fit is an error of the kinds that a cache takes for a miss."""
    content = json.loads(results.written(_result([(1, 2)], 2)))
    with pytest.raises((ValueError, TypeError, LookupError, ArithmeticError)):
        results.read(json.dumps(change(content)).encode())


def _time(dim: str, start: date | None, until: date | None) -> Time:
    return Time(date=dim, start=start, until=until)


def _window(label: str, start: date, until: date) -> Window:
    return Window(label=label, start=start, until=until)


_WORDS = st.text(max_size=8)
_DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
_VALUES = st.one_of(st.text(max_size=6), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False))
_CONDITIONS = st.builds(
    Condition, dim=_WORDS, op=st.sampled_from(["in", "not_in", "lt", "has", "is_null"]), values=st.lists(_VALUES, max_size=3).map(tuple)
)
_WHERE = st.lists(st.lists(_CONDITIONS, max_size=2).map(tuple), max_size=2).map(tuple)
_USES = st.builds(
    MetricUse, id=_WORDS, stat=st.sampled_from(["default", "median"]), transform=st.sampled_from(["none", "rank"]), where=_WHERE
)
_HAVING = st.builds(
    Having,
    metric=_WORDS,
    op=st.sampled_from(["eq", "ge"]),
    value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    where=_WHERE,
)
_QUERIES = st.builds(
    TypedQuery,
    form=st.sampled_from(["measure", "list"]),
    entity=_WORDS,
    metrics=st.lists(_USES, max_size=2).map(tuple),
    group_by=st.lists(st.builds(GroupBy, dim=_WORDS, grain=st.sampled_from(["none", "month", "weekday"])), max_size=2).map(tuple),
    where=_WHERE,
    unit=st.builds(Unit, entity=_WORDS, having=st.lists(_HAVING, max_size=1).map(tuple)),
    having=st.lists(_HAVING, max_size=1).map(tuple),
    time=st.builds(_time, _WORDS, st.none() | _DAYS, st.none() | _DAYS),
    compare=st.lists(st.builds(_window, _WORDS, _DAYS, _DAYS), max_size=2).map(tuple),
    order_by=st.lists(st.builds(Order, by=_WORDS, desc=st.booleans()), max_size=2).map(tuple),
    limit=st.builds(Limit, n=st.integers(0, 99), offset=st.integers(0, 9), per=st.lists(_WORDS, max_size=2).map(tuple), ties=st.booleans()),
)
_OUTCOMES = st.one_of(
    st.builds(
        Planned,
        _QUERIES,
        st.lists(st.builds(Span, _WORDS, st.integers(), st.integers()), max_size=2).map(tuple),
        st.lists(_WORDS, max_size=2).map(tuple),
    ),
    st.builds(Clarify, _WORDS, st.lists(st.builds(Option, _WORDS, _WORDS, _QUERIES), max_size=2).map(tuple)),
    st.builds(Definition, st.lists(_WORDS, max_size=3).map(tuple)),
    st.just(Greeting()),
    st.builds(
        Refused, st.sampled_from(["not_in_data", "unsafe", "engine_unavailable"]), _WORDS, _WORDS, st.lists(_WORDS, max_size=2).map(tuple)
    ),
)


@settings(max_examples=counted(300, 5_000), deadline=None)
@given(_OUTCOMES)
def test_every_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    """Typed queries with all that they may hold, readings to choose from, definitions, greetings, refusals."""
    found = outcomes.read(outcomes.written(outcome))
    assert type(found) is type(outcome)
    assert repr(found) == repr(outcome)  # 1 is not 1.0


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_an_outcome_that_json_cannot_say_is_not_written(value: float) -> None:
    """Rather than come back as something else."""
    query = TypedQuery(metrics=(MetricUse(id="claim_count"),), having=(Having(metric="claim_count", op="gt", value=value),))
    try:
        text = outcomes.written(Planned(query))
    except ValueError:
        return
    assert repr(outcomes.read(text)) == repr(Planned(query))


def test_what_lasts() -> None:
    """A refusal does; that nothing could be asked does not."""
    assert outcomes.lasts(Refused("not_in_data", "no"))
    assert not outcomes.lasts(Refused("engine_unavailable", "no"))
