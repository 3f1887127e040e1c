"""The closed chart of an answer as Vega-Lite: the one place where a chart is made. Nothing in it is code or an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streamlit_app.cells import Column, columns_of, number_of, shown

_MARKS = {"bar", "line", "area", "point"}
_UNITS = {"day": "utcyearmonthdate", "month": "utcyearmonth", "quarter": "utcyearquarter", "year": "utcyear"}
_DATES = {"month": "%b %Y", "quarter": "Q%q %Y", "year": "%Y"}
_NUMBERS = {"rate": ".0%", "points": "+.0%", "USD": "$~s"}
_TICKS = 8
_BAR, _THIN, _LEAST, _MOST, _STANDING, _AXIS, _LEGEND = 26, 13, 60, 420, 220, 60, 70  # pixels


@dataclass(frozen=True)
class Axes:
    """The columns that a chart is drawn from; `color` and `x` may be none."""

    mark: str
    x: Column | None
    y: list[Column]
    color: Column | None

    @property
    def lying(self) -> bool:
        """Bars of names lie, so that the names can be read."""
        return self.mark == "bar" and self.x is not None and not self.x.dated


def vega_lite(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The specification with its data; None where the answer is told by its table alone."""
    axes = _axes(part)
    if axes is None:
        return None
    values = _values(part, axes)
    place = (
        {"y": _named_axis(axes, values), "x": _measured_axis(axes)}
        if axes.lying
        else {"x": _named_axis(axes, values), "y": _measured_axis(axes)}
    )
    return {
        "data": {"values": values},
        "mark": _mark(axes),
        "encoding": {**place, **_color(axes), "tooltip": _tooltip(axes)},
        "height": _height(axes, values),
    }


def _axes(part: Mapping[str, Any]) -> Axes | None:
    chart, columns = part.get("chart") or {}, {column.name: column for column in columns_of(part)}
    y = [columns[name] for name in chart.get("y", ()) if name in columns]
    if chart.get("mark") not in _MARKS or not y or not part["rows"]:
        return None
    return Axes(chart["mark"], columns.get(chart.get("x", "")), y, columns.get(chart.get("color", "")))


def _values(part: Mapping[str, Any], axes: Axes) -> list[dict[str, Any]]:
    """One mark a row and measure. Names of the fields are ours, so that a column's name is never read as a path."""
    places = {column["name"]: place for place, column in enumerate(part["columns"])}

    def cell(row: Sequence[Any], column: Column | None) -> Any:
        return None if column is None else row[places[column.name]]

    return [
        {
            "x": _position(cell(row, axes.x), axes),
            "y": number_of(cell(row, measure)),
            "c": shown(cell(row, axes.color), axes.color) if axes.color else measure.label,
            "tx": shown(cell(row, axes.x), axes.x) if axes.x else "",
            "ty": shown(cell(row, measure), measure),
        }
        for row in part["rows"]
        for measure in axes.y
        if cell(row, measure) is not None
    ]


def _position(value: Any, axes: Axes) -> Any:
    if axes.x is None:
        return ""
    if axes.x.dated:
        return _milliseconds(value)
    return number_of(value) if axes.mark == "point" else shown(value, axes.x)


def _milliseconds(value: Any) -> float | None:
    """A date or moment as Vega counts: the same in every time zone."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def _mark(axes: Axes) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "bar": {"cornerRadiusEnd": 1},
        "line": {"point": True},
        "area": {"opacity": 0.7},
        "point": {"filled": True, "size": 60},
    }
    return {"type": axes.mark, **more[axes.mark]}


def _named_axis(axes: Axes, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if axes.x is None:
        return {"field": "x", "type": "nominal", "axis": None}
    if axes.x.dated:
        return _dated_axis(axes.x, axes.mark, values)
    if axes.mark == "point":
        return {"field": "x", "type": "quantitative", "title": axes.x.label, "axis": _ticks(axes.x)}
    return {"field": "x", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 170, "labelOverlap": True}}


def _dated_axis(column: Column, mark: str, values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    moments = sorted({value["x"] for value in values if value["x"] is not None})
    ticks = moments[:: -(-len(moments) // _TICKS) or 1]
    axis = {"format": _DATES.get(column.grain, "%d %b %Y"), "values": [_tick(one) for one in ticks], "labelOverlap": True}
    unit = {"timeUnit": _UNITS[column.grain]} if mark == "bar" and column.grain in _UNITS else {}
    return {"field": "x", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": axis, **unit}


def _tick(milliseconds: float) -> dict[str, Any]:
    """A moment as Vega-Lite takes it for the ticks of an axis; a plain number it leaves out."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return {"year": at.year, "month": at.month, "date": at.day, "hours": at.hour, "minutes": at.minute, "seconds": at.second, "utc": True}


def _measured_axis(axes: Axes) -> dict[str, Any]:
    return {
        "field": "y",
        "type": "quantitative",
        "title": axes.y[0].label if len(axes.y) == 1 else None,
        "axis": _ticks(axes.y[0]),
        "stack": None,  # not every measure adds up: series stand beside or behind each other
    }


def _ticks(column: Column) -> dict[str, Any]:
    return {"format": _NUMBERS.get(column.unit, "~s"), "tickCount": 5}


def _color(axes: Axes) -> dict[str, Any]:
    if axes.color is None and len(axes.y) == 1:
        return {}
    title = axes.color.label if axes.color else None
    order: dict[str, Any] = {} if axes.color else {"sort": None}
    color = {"field": "c", "type": "nominal", **order, "title": title, "legend": {"orient": "bottom", "columns": 4, "labelLimit": 160}}
    if axes.mark == "bar":
        return {"color": color, ("yOffset" if axes.lying else "xOffset"): {"field": "c", **order}}
    return {"color": color}


def _tooltip(axes: Axes) -> list[dict[str, Any]]:
    first = [{"field": "tx", "type": "nominal", "title": axes.x.label}] if axes.x else []
    series = (
        [{"field": "c", "type": "nominal", "title": axes.color.label if axes.color else "number"}] if axes.color or len(axes.y) > 1 else []
    )
    return [*first, *series, {"field": "ty", "type": "nominal", "title": axes.y[0].label if len(axes.y) == 1 else "value"}]


def _height(axes: Axes, values: Sequence[Mapping[str, Any]]) -> int:
    """Of the whole chart: axis and legend are in it."""
    around = _AXIS + (_LEGEND if axes.color or len(axes.y) > 1 else 0)
    if not axes.lying:
        return _STANDING + around
    bars, names = len({(value["x"], value["c"]) for value in values}), len({value["x"] for value in values})
    return min(max((_BAR if bars == names else _THIN) * bars, _LEAST), _MOST) + around
