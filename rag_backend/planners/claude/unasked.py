"""What a query does and no word of the question says, in words that the model can act on.

A part of a query cites its words; here is what no citation can license: numbers, windows, thresholds, orders, statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

from rag_backend.planners.claude.asked import Asked, meant, windows
from rag_backend.query.expressions import all_where
from rag_backend.query.typed_query import Having, TypedQuery

_SHARES = frozenset(("SHARE", "RATIO"))
_MOVES = frozenset(("CHANGE", "GROWN", "SHRUNK", "OVER_", "OVER_week", "OVER_month", "OVER_quarter", "OVER_year"))
_WORDS_OF_TRANSFORMS: dict[str, frozenset[str]] = {
    "share_of_total": _SHARES,
    "share_of_first_group": _SHARES,
    "share_of_group": _SHARES,
    "running_total": frozenset(("RUN",)),
    "change": _MOVES,
    "rank": frozenset(("RANK", "ORDER", "TOP", "BOTTOM")),
}
_WORDS_OF_STATS: dict[str, frozenset[str]] = {
    "mean": frozenset(("STAT_mean",)),
    "median": frozenset(("STAT_median",)),
    "p90": frozenset(("STAT_p90",)),
    "min": frozenset(("STAT_min", "SUP_ASC")),
    "max": frozenset(("STAT_max", "SUP_DESC")),
}
_LEFT_OUT = ("NOT", "WITHOUT", "EXCLUDED", "EMPTY")
_FIRST = ("TOP", "BOTTOM", "SUP", "COMMON")
_MORE, _LESS = ("lt", "le", "gt", "ge"), ("CMP", "POST", "AGED", "BETWEEN")


def unasked(asked: Asked, query: TypedQuery) -> Iterator[str]:
    """Everything that is added."""
    yield from _conditions(asked, query)
    tests = [
        *((one, ("WITHOUT", "NOT")) for one in query.having),
        *((one, ("WITHOUT", "NOT", "HAVE", "WITH")) for one in query.unit.having),
    ]
    if any(not _said(one, asked, none) for one, none in tests):
        yield "the query holds a number that the question does not, or a threshold that no word of it says"
    yield from _rows(asked, query)
    yield from _window(asked, query)
    yield from _forms(asked, query)
    yield from _other_date(asked, query)


def _conditions(asked: Asked, query: TypedQuery) -> Iterator[str]:
    ops = {one.op for one in all_where(query)}
    if ops & {"not_in", "is_null"} and not asked.says(*_LEFT_OUT):
        yield "the query leaves something out, and no word of the question says so"
    if "not_null" in ops and not asked.says(*_LEFT_OUT, "HAVE", "WITH"):
        yield "the query leaves out what is not known, and no word of the question says so"
    dates = {name for name, one in asked.lexicon.model.dimensions.items() if one.type == "date"}
    if any(one.op in _MORE and not asked.says(*_LESS, *(("TIME",) if one.dim in dates else ())) for one in all_where(query)):
        yield "the query tests what is more or less, and no word of the question says so"


def _said(one: Having, asked: Asked, none: tuple[str, ...]) -> bool:
    """Whether a threshold is: by its number, by one of the words for none, or by what it is held against."""
    if one.value is None:
        return asked.says("AVG" if one.of == "average" else "ALLOF")
    return asked.counts(one.value) or (not one.value and asked.says(*none))


def _rows(asked: Asked, query: TypedQuery) -> Iterator[str]:
    """A limit by its number, the first one by a superlative too; which one after the first by a word that nobody declared."""
    n, offset = query.limit.n, query.limit.offset
    if n and not asked.counts(n) and not (n == 1 and asked.says(*_FIRST)):
        yield "the query holds a number of rows that the question does not"
    if offset and not asked.counts(offset) and not asked.says("JUNK"):
        yield "the query leaves out first rows, and no word of the question says so"


def _window(asked: Asked, query: TypedQuery) -> Iterator[str]:
    held = windows(query)
    if not held or asked.says("JUNK", "SAME"):
        return
    times = [node for node in asked.nodes if node.cat == "TIME"]
    said = {window for node in times for window in meant(node)}
    if not times or (all(map(meant, times)) and not held <= said):
        yield "the query has a window of time that no word of the question says"


def _other_date(asked: Asked, query: TypedQuery) -> Iterator[str]:
    """A date other than the one that the metric declares needs a word."""
    model = asked.lexicon.model
    declared = {model.date_of(use.id) for use in query.metrics} or {model.date}
    said = {one.dim for node in asked.nodes for one in node.readings if one.dim}
    dated = {one.dim for one in query.group_by if model.dimensions[one.dim].type == "date"} | ({query.time.date} - {""})
    for date in sorted(dated - declared - said):
        yield f"no word of the question says {date}; what is meant without one is {' or '.join(sorted(declared))}"


def _forms(asked: Asked, query: TypedQuery) -> Iterator[str]:
    """Statistics and transforms without a word for them."""
    for use in query.metrics:
        if use.stat != "default" and not asked.says(*_WORDS_OF_STATS[use.stat]):
            yield f"no word of the question asks for the {use.stat}"
        if use.transform != "none" and not asked.says(*_WORDS_OF_TRANSFORMS[use.transform]):
            yield f"no word of the question asks for {use.transform}"
