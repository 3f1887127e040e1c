"""The functions that a query may call: sqlglot's typed nodes for all dialects, and a few names that it does not know.

Left out on purpose, for all dialects. Files, settings, sessions, environment: every one. Clocks and chance (CURRENT_DATE, NOW,
RANDOM): the same SQL must give the same answer. Growth (REPEAT, LPAD, RPAD, FORMAT): gigabytes from one cell. Collecting (LISTAGG,
ARRAY_AGG, HISTOGRAM, MAP_AGG): all rows in one cell, past the row limit. Regular expressions: hours. Hashes: guesses of keys.
Row makers (UNNEST, EXPLODE, RANGE, SEQUENCE), JSON and structs of whole rows, lambdas, error raisers.
"""

from __future__ import annotations

from sqlglot import exp

from rag_backend.validator.proof import Dialect, unsafe

_AGGREGATES = frozenset(
    {exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.ApproxQuantile, exp.ApproxDistinct}
    | {exp.Quantile, exp.PercentileCont, exp.PercentileDisc, exp.Mode, exp.AnyValue, exp.First, exp.Last, exp.ArgMax, exp.ArgMin}
    | {exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Corr, exp.CovarPop, exp.CovarSamp}
    | {exp.LogicalAnd, exp.LogicalOr, exp.Skewness, exp.Kurtosis, exp.RegrSlope, exp.RegrIntercept, exp.RegrR2, exp.Grouping}
)
_WINDOWS = frozenset(
    {exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead}
    | {exp.FirstValue, exp.LastValue, exp.NthValue}
)
_VALUES = frozenset(
    {exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Nvl2, exp.Greatest, exp.Least, exp.DecodeCase}
    | {exp.Abs, exp.Round, exp.Ceil, exp.Floor, exp.Trunc, exp.Sqrt, exp.Cbrt, exp.Ln, exp.Log, exp.Exp, exp.Pow, exp.Sign, exp.IsNan}
    | {exp.SafeDivide, exp.SafeAdd, exp.SafeSubtract, exp.SafeMultiply, exp.WidthBucket}
    | {exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Concat, exp.ConcatWs, exp.Replace}
    | {exp.StrPosition, exp.StartsWith, exp.EndsWith, exp.Contains, exp.SplitPart, exp.Reverse}
    | {exp.ArrayContains, exp.ArraySize, exp.ArrayOverlaps}
)
_TIMES = frozenset(
    {exp.TimestampTrunc, exp.DateTrunc, exp.DateAdd, exp.DateSub, exp.DateDiff, exp.AddMonths, exp.MonthsBetween, exp.LastDay}
    | {exp.Extract, exp.Year, exp.Quarter, exp.Month, exp.Week, exp.WeekOfYear, exp.YearOfWeek, exp.Day, exp.DayOfMonth}
    | {exp.DayOfWeek, exp.DayOfWeekIso, exp.DayOfYear, exp.Monthname, exp.Dayname, exp.Date, exp.DateFromParts, exp.TimeToStr}
    | {exp.TsOrDsAdd, exp.TsOrDsDiff, exp.TsOrDsToDate, exp.TimeStrToTime, exp.Hour, exp.Minute, exp.Second, exp.ToDays}
)
# exp.And and exp.Or are functions to sqlglot; the list of nodes has them.
_TYPED = _AGGREGATES | _WINDOWS | _VALUES | _TIMES
# Spark's WITHIN GROUP percentiles would be rendered as approximate ones: another number under the same name.
_NOT_IN: dict[Dialect, frozenset[type[exp.Expr]]] = {
    "spark": frozenset({exp.PercentileCont, exp.PercentileDisc}),
    "trino": frozenset({exp.Median, exp.PercentileCont, exp.PercentileDisc}),
    "duckdb": frozenset(),
}
_NAMED: dict[Dialect, frozenset[str]] = {
    "duckdb": frozenset({"DATE_PART", "DATE_SUB", "WEEKDAY", "YEARWEEK", "ISFINITE", "PREFIX", "SUFFIX", "MAD", "LIST_EXTRACT"}),
    "trino": frozenset({"EVERY", "GEOMETRIC_MEAN", "DAY_OF_WEEK"}),
    "spark": frozenset({"DATE_PART", "WEEKDAY", "MAKE_DATE", "PMOD", "BROUND", "EVERY", "SOME", "MEAN", "STD", "ISNULL", "ISNOTNULL"}),
}
_CLOCKS = (exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentDatetime, exp.Localtime, exp.Localtimestamp)


def check_function(node: exp.Func, dialect: Dialect) -> None:
    """Refuse a function that is not on the list.

    Raises:
        RefusalError: names the function.
    """
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        # a name that sqlglot does not know may be a table reader, a macro or a user's function
        if not isinstance(node.this, str) or node.name.upper() not in _NAMED[dialect]:
            raise unsafe(f"the function {_shown(node.name)} is not allowed; aggregates, windows, text, number and date functions are")
    elif isinstance(node, _CLOCKS):
        raise unsafe("today's date and time are not allowed in SQL; write the date, such as DATE '2026-01-31'")
    elif type(node) not in _TYPED or type(node) in _NOT_IN[dialect]:
        raise unsafe(f"the function {_shown(node.sql_name())} is not allowed; aggregates, windows, text, number and date functions are")


def is_aggregate(node: exp.Expr) -> bool:
    """Whether the node makes one value of many rows."""
    return type(node) in _AGGREGATES or (isinstance(node, exp.Anonymous) and node.name.upper() in _SINGLE)


_SINGLE = frozenset({"MAD", "EVERY", "SOME", "MEAN", "STD", "GEOMETRIC_MEAN"})


def _shown(name: str) -> str:
    return name[:60].upper()
