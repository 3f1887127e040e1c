"""The Pipeline page: what is released, what came in, what was sent back and why, and how good it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import streamlit as st

from streamlit_app.ask_page import show_problem
from streamlit_app.cells import Column
from streamlit_app.client import Api
from streamlit_app.plain import plain
from streamlit_app.problems import ProblemError
from streamlit_app.quality_view import show_quality, show_quarantine
from streamlit_app.settings import Settings
from streamlit_app.table import show_rows

_RELEASES, _BATCHES, _FILES, _CHECKS = 50, 100, 200, 1_000
_RELEASE = [
    Column("release", "release", "bigint", "count"),
    Column("kind", "kind"),
    Column("run_date", "run date", "date"),
    Column("created_at", "made (UTC)", "timestamp"),
    Column("rows", "rows", "bigint", "count"),
    Column("tables", "tables", "bigint", "count"),
    Column("parent", "follows", "bigint", "count"),
    Column("batch_id", "batch"),
    Column("expired_on", "expired on", "date"),
]
_BATCH = [
    Column("batch_id", "batch"),
    Column("state", "state"),
    Column("kind", "kind"),
    Column("run_date", "run date", "date"),
    Column("files", "files", "bigint", "count"),
    Column("release", "release", "bigint", "count"),
    Column("message", "message"),
]
_FILE = [
    Column("source", "source"),
    Column("name", "file"),
    Column("state", "state"),
    Column("reason", "reason"),
    Column("records", "records", "bigint", "count"),
    Column("lines", "lines", "bigint", "count"),
    Column("bytes", "bytes", "bigint", "count"),
    Column("ingest_date", "landed on", "date"),
    Column("release", "release", "bigint", "count"),
]


def show(api: Api, settings: Settings) -> None:
    """The page."""
    _head(settings)
    try:
        releases = api.pipeline("releases", limit=_RELEASES)
        files = api.pipeline("files", limit=_FILES)
    except ProblemError as error:
        show_problem(error.problem)
        st.button("Try again", key="retry", icon=":material/refresh:")
        return
    _overview(releases, files)
    shown: dict[str, Callable[[], None]] = {
        "Quality": lambda: _asked(lambda: show_quality(api.pipeline("quality", limit=_CHECKS))),
        "Quarantine": lambda: _asked(lambda: show_quarantine(api.pipeline("quarantine"))),
        "Files": lambda: _files(files),
        "Batches": lambda: _asked(lambda: _batches(api.pipeline("batches", limit=_BATCHES))),
        "Releases": lambda: _releases(releases),
    }
    for tab, content in zip(st.tabs(list(shown)), shown.values(), strict=True):
        with tab:
            content()


def _head(settings: Settings) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Pipeline", anchor=False, width="content")
        with st.container(horizontal=True, width="content", gap="small"):
            st.link_button("Airflow", settings.airflow_url, icon=":material/open_in_new:", help="Runs, tasks and schedules of the pipeline")
            st.link_button("Spark", settings.spark_ui_url, icon=":material/open_in_new:", help="The cluster that builds the tables")
            st.button("Refresh", key="refresh", icon=":material/refresh:")


def _asked(content: Callable[[], None]) -> None:
    """One room of the page, which may be closed to the role while the others are open."""
    try:
        content()
    except ProblemError as error:
        show_problem(error.problem)


def _overview(releases: dict[str, Any], files: dict[str, Any]) -> None:
    if not releases["releases"]:
        st.info("Nothing is released yet. Run the pipeline: `medflow run`, or `medflow demo` for sample data.", icon=":material/info:")
        return
    newest, states = releases["releases"][0], files["states"]
    waiting = sum(count for state, count in states.items() if state != "published")
    for column, (label, value, about) in zip(
        st.columns(4),
        [
            ("Current release", str(newest["release"]), f"batch {newest['batch_id']}"),
            ("Made (UTC)", f"{datetime.fromisoformat(newest['created_at']):%d %b %Y, %H:%M}", f"run date {newest['run_date']}"),
            ("Rows in its tables", f"{sum(newest['tables'].values()):,}", f"{len(newest['tables'])} tables"),
            ("Files published", f"{states.get('published', 0):,}", f"{waiting:,} in another state"),
        ],
        strict=True,
    ):
        with column.container(border=True):
            st.metric(label, value)
            st.caption(plain(about))


def _releases(told: dict[str, Any]) -> None:
    rows = [{**one, "rows": sum(one["tables"].values()) or None, "tables": len(one["tables"]) or None} for one in told["releases"]]
    _listed(_RELEASE, rows, told["total"], "releases")
    newest = told["releases"][0] if told["releases"] else None
    if newest and newest["tables"]:
        st.subheader(f"Tables of release {newest['release']}", anchor=False)
        columns = [Column("table", "table"), Column("rows", "rows", "bigint", "count")]
        show_rows(columns, [{"table": table, "rows": rows} for table, rows in newest["tables"].items()], "tables")


def _batches(told: dict[str, Any]) -> None:
    _listed(_BATCH, told["batches"], told["total"], "batches")


def _files(told: dict[str, Any]) -> None:
    with st.container(horizontal=True, gap="small"):
        for state, count in told["states"].items():
            st.badge(f"{plain(state)} {count:,}", color="green" if state == "published" else "orange")
    _listed(_FILE, told["files"], told["total"], "files")


def _listed(columns: list[Column], found: list[dict[str, Any]], total: int, what: str) -> None:
    if not found:
        st.caption(f"No {what} yet.")
        return
    show_rows(columns, found, what)
    if total > len(found):
        st.caption(f"The newest {len(found):,} of {total:,} {what}; the `medflow` command lists them all.")
