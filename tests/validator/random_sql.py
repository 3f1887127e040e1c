"""Random queries over the lines and the providers: readable, closed and key columns in every clause."""

from __future__ import annotations

from hypothesis import strategies as st

_READABLE = ["payer_id", "claim_id", "sex", "units", "paid_amount", "billed_amount", "service_from", "claim_status"]
_KEYS = ["member_key"]
_CLOSED = ["member_id", "birth_year", "rowid", "raw_line", "ghost"]
_TABLES = ["healthcare.claims_clean"] * 8 + ["claims_clean", "healthcare.claims_history", "healthcare.claims_quarantined"]
_COLUMNS = st.sampled_from(_READABLE * 4 + _KEYS * 5 + _CLOSED)
_LITERALS = st.sampled_from(["1", "'key-1'", "'payer_id-1'", "2.5", "DATE '2025-02-01'", "NULL"])
_OPERATORS = st.sampled_from(["=", "<", ">=", "<>", "IS DISTINCT FROM"])


@st.composite
def _value(draw: st.DrawFn, source: str, depth: int = 2) -> str:
    column = f"{source}.{draw(_COLUMNS)}"
    form = draw(st.integers(0, 11 if depth else 4))
    if form <= 3:
        return column
    if form == 4:
        return draw(_LITERALS)
    if form == 5:
        return f"COALESCE({column}, {draw(_value(source, depth - 1))})"
    if form == 6:
        return f"CASE WHEN {draw(_condition(source, depth - 1))} THEN {draw(_value(source, depth - 1))} END"
    if form == 7:
        return f"UPPER(CAST({column} AS VARCHAR))"
    if form == 8:
        return f"(SELECT {draw(st.sampled_from(['MAX', 'MIN', 'COUNT']))}(z.{draw(_COLUMNS)}) FROM {draw(st.sampled_from(_TABLES))} AS z)"
    if form == 9:
        return f"({column} || {draw(_LITERALS)})"
    if form == 10:
        return f"{draw(st.sampled_from(['RANK()', 'COUNT(*)']))} OVER (PARTITION BY {source}.{draw(_COLUMNS)} ORDER BY {column})"
    return f"(EXISTS (SELECT 1 FROM {draw(st.sampled_from(_TABLES))} AS y WHERE y.{draw(_COLUMNS)} = {column}))"


@st.composite
def _condition(draw: st.DrawFn, source: str, depth: int = 1) -> str:
    left = f"{source}.{draw(_COLUMNS)}"
    form = draw(st.integers(0, 5))
    if form <= 1:
        return f"{left} {draw(_OPERATORS)} {draw(_LITERALS)}"
    if form == 2:
        return f"{left} IN (SELECT w.{draw(_COLUMNS)} FROM {draw(st.sampled_from(_TABLES))} AS w)"
    if form == 3 and depth:
        return f"({draw(_condition(source, depth - 1))} OR {draw(_condition(source, depth - 1))})"
    if form == 4:
        return f"{left} IS NOT NULL"
    return f"{left} = {source}.{draw(_COLUMNS)}"


_AGGREGATES = ["COUNT(DISTINCT {})", "MIN({})", "MAX({})", "COUNT({})", "COUNT(DISTINCT {})", "SUM(LENGTH(CAST({} AS VARCHAR)))"]


@st.composite
def _select(draw: st.DrawFn, table: str, columns: st.SearchStrategy[str]) -> str:
    where = f" WHERE {draw(_condition('a'))}" if draw(st.booleans()) else ""
    join = ""
    if draw(st.integers(0, 3)) == 0:
        tie = draw(_COLUMNS)
        join = f" JOIN {draw(st.sampled_from(_TABLES))} AS b ON a.{tie} = b.{draw(st.sampled_from([tie, draw(_COLUMNS)]))}"
    if draw(st.booleans()):
        group = f"a.{draw(columns)}"
        shown = draw(st.sampled_from([group, "1"]))
        counted = draw(st.sampled_from(_AGGREGATES)).format(f"a.{draw(columns)}")
        having = f" HAVING {draw(st.sampled_from(_AGGREGATES)).format('a.' + draw(columns))} > 1" if draw(st.integers(0, 3)) == 0 else ""
        return f"SELECT {shown} AS c0, {counted} AS c1 FROM {table} AS a{join}{where} GROUP BY {group}{having}"
    distinct = draw(st.sampled_from(["", "DISTINCT "]))
    return f"SELECT {distinct}{draw(_value('a'))} AS c0, {draw(_value('a'))} AS c1 FROM {table} AS a{join}{where}"


@st.composite
def random_sql(draw: st.DrawFn) -> str:
    """A query; about a third of them may be answered."""
    body = draw(_select(draw(st.sampled_from(_TABLES)), _COLUMNS))
    form = draw(st.integers(0, 5))
    if form == 0:
        outer = draw(st.sampled_from(["COUNT(DISTINCT s.c0) AS n", "s.c0 AS n", "MAX(s.c1) AS n", "s.c1 AS n"]))
        return f"SELECT {outer} FROM ({body}) AS s"
    if form == 1:
        tie = draw(st.sampled_from(["r.c0 = s.c0", "r.c1 = s.c0", "r.c1 = s.c1"]))
        return f"WITH r AS ({body}) SELECT COUNT(*) AS n, COUNT(DISTINCT s.c0) AS m FROM r JOIN r AS s ON {tie}"
    if form == 2:
        other = draw(_select(draw(st.sampled_from(_TABLES)), _COLUMNS))
        both = draw(st.sampled_from(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"]))
        return draw(st.sampled_from(["{0} {1} {2}", "SELECT COUNT(DISTINCT u.c0) AS n FROM ({0} {1} {2}) AS u"])).format(body, both, other)
    if form == 3:
        return f"{body} ORDER BY {draw(st.sampled_from(['c0', 'c1', 'a.' + draw(_COLUMNS)]))}"
    return body
