"""How good the data were: each rule's share of lines that broke it, over the batches, and what waits in quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from streamlit_app.cells import Column, part_of
from streamlit_app.plain import plain
from streamlit_app.table import show_rows
from streamlit_app.vega import vega_lite

_CHECK = [
    Column("source", "source"),
    Column("rule", "rule"),
    Column("severity", "severity"),
    Column("outcome", "outcome"),
    Column("checked", "checked", "bigint", "count"),
    Column("failed", "failed", "bigint", "count"),
    Column("rate", "share failed", "double", "rate"),
    Column("threshold", "allowed", "double", "rate"),
]
_WORST = [one for name in ("rule", "source", "rate", "threshold", "failed", "outcome") for one in _CHECK if one.name == name]
_QUEUE = [
    Column("source", "source"),
    Column("rule", "rule"),
    Column("status", "status"),
    Column("lines", "lines", "bigint", "count"),
]
_BY_BATCH = [
    Column("checked_at", "checked at", "timestamp"),
    Column("rate", "share failed", "double", "rate"),
    Column("source", "source"),
]
_MOST_RULES = 12


def show_quality(told: dict[str, Any]) -> None:
    """The newest batch's checks, and one rule over time."""
    checks = told["checks"]
    if not checks:
        st.caption("No check has run yet.")
        return
    newest = [one for one in checks if one["batch_id"] == checks[0]["batch_id"]]
    broken = [one for one in newest if one["failed"]]
    st.caption(
        f"Batch {plain(newest[0]['batch_id'])}: {len(newest):,} checks, {len(broken):,} found something. Shares are of the lines checked."
    )
    _worst(broken)
    _over_time(checks)
    with st.expander(f"All checks of the newest batch ({len(newest)})", type="compact"):
        show_rows(_CHECK, newest, "checks")


def show_quarantine(told: dict[str, Any]) -> None:
    """Lines that were set aside, by who sent them and which rule they broke."""
    counts = told["counts"]
    if not counts:
        st.caption("Nothing is in quarantine.")
        return
    states: dict[str, int] = {}
    for one in counts:
        states[one["status"]] = states.get(one["status"], 0) + one["lines"]
    with st.container(horizontal=True, gap="small"):
        for state, lines in states.items():
            st.badge(f"{plain(state)} {lines:,}", color="orange" if state == "open" else "gray")
    ordered = sorted(counts, key=lambda one: -one["lines"])
    chart = {"mark": "bar", "x": "rule", "y": ["lines"], "color": "source", "title": "Lines in quarantine by rule and source"}
    _chart_and_table(_QUEUE, ordered[:30], chart, "queue")
    st.caption("A line that broke two rules counts under both.")


def _worst(broken: Sequence[dict[str, Any]]) -> None:
    """The rules that lines broke most, by source."""
    if not broken:
        return
    rules = list(dict.fromkeys(one["rule"] for one in sorted(broken, key=lambda one: -(one["rate"] or 0))))[:_MOST_RULES]
    chosen = sorted((one for one in broken if one["rule"] in rules), key=lambda one: rules.index(one["rule"]))
    chart = {"mark": "bar", "x": "rule", "y": ["rate"], "color": "source", "title": "Share of lines that broke a rule, newest batch"}
    _chart_and_table(_WORST, chosen, chart, "worst")


def _over_time(checks: Sequence[dict[str, Any]]) -> None:
    rates: dict[str, float] = {}
    for one in checks:
        rates[one["rule"]] = max(rates.get(one["rule"], 0.0), one["rate"] or 0.0)
    rule = st.selectbox("One rule over time", sorted(rates, key=lambda name: (-rates[name], name)), key="rule")
    points = [one for one in checks if one["rule"] == rule][::-1]
    chart = {"mark": "line", "x": "checked_at", "y": ["rate"], "color": "source", "title": f"{rule} over time"}
    _chart(_BY_BATCH, points, chart, "trend")


def _chart_and_table(columns: list[Column], found: Sequence[dict[str, Any]], chart: dict[str, Any], key: str) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart(columns, found, chart, key)
    with right:
        show_rows(columns, found, key)


def _chart(columns: list[Column], found: Sequence[dict[str, Any]], chart: dict[str, Any], key: str) -> None:
    spec = vega_lite({**part_of(columns, found), "chart": chart})
    if spec:
        st.vega_lite_chart(spec, width="stretch", key=f"chart-{key}", alt=f"Chart: {chart['title']}")
