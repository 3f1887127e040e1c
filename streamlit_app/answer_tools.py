"""What can be done with an answer: look at its SQL, definitions and steps, take it away as CSV, rate it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from streamlit_app.client import Api
from streamlit_app.conversation import Exchange, Step
from streamlit_app.plain import plain
from streamlit_app.problems import ProblemError

STEPS = {
    "router": "Sort the question",
    "planner": "Plan",
    "retrieval": "Look up what is known",
    "generator": "Write the query",
    "validator": "Check the query",
    "executor": "Run the query",
    "analyzer": "Look at the numbers",
    "explainer": "Put it in words",
    "suggester": "Find what to ask next",
}
_MOST_REASON, _STARS = 500, 5
_CLAUSE = re.compile(
    r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+(?=(?:WITH|SELECT|FROM|WHERE|GROUP BY|HAVING|ORDER BY|LIMIT|LEFT JOIN|JOIN|UNION)\b)"""
)


def show_tools(exchange: Exchange, api: Api) -> None:
    """The line below an answer, and what it folds out."""
    answer = exchange.answer or {}
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"tools-{exchange.name}"):
        if answer["row_count"] or any(part["row_count"] for part in answer["parts"]):
            _download(exchange, api)
        _stars(exchange, api)
    _reason(exchange, api)
    _sql(answer)
    if answer["definitions"] and answer["kind"] != "definition":
        with st.expander(f"Definitions ({len(answer['definitions'])})", type="compact"):
            for one in answer["definitions"]:
                st.markdown(f"**{plain(one['term'])}** {plain(one['text'])} :small[:gray[{plain(one['source'])}]]")
    with st.expander(f"Steps ({len(exchange.steps)})", type="compact"):
        show_steps(exchange.steps)


def show_steps(steps: Iterable[Step]) -> None:
    """Each step with its time and what it came to."""
    for step in steps:
        st.markdown(step_line(step))


def step_line(step: Step) -> str:
    """A step in one line."""
    name = plain(STEPS.get(step.name, step.name))
    if step.milliseconds is None:
        return f":material/progress_activity: {name} …"
    told = f", {plain(step.summary)}" if step.summary else ""
    return f":material/check: {name} :gray[{step.milliseconds:,.0f} ms{told}]"


def wrapped_sql(sql: str) -> str:
    """SQL with each clause on a line of its own; what stands in quotes stays as it is."""
    return _CLAUSE.sub(lambda found: found.group(1) or "\n", sql)


def _sql(answer: Mapping[str, Any]) -> None:
    statements = [part["sql"] for part in (answer["parts"] or [answer]) if part["sql"]]
    if statements:
        with st.expander("SQL", type="compact"):
            for sql in statements:
                st.code(wrapped_sql(sql), language="sql", wrap_lines=True)


def _download(exchange: Exchange, api: Api) -> None:
    st.download_button(
        "Download CSV",
        data=lambda: api.download(exchange.name),
        file_name=f"{_file_name(exchange.question)}.csv",
        mime="text/csv",
        icon=":material/download:",
        key=f"download-{exchange.name}",
        on_click="ignore",
    )


def _file_name(question: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", question.lower()).strip("-")[:60] or "answer"


def _stars(exchange: Exchange, api: Api) -> None:
    key = f"stars-{exchange.name}"

    def rated() -> None:
        exchange.rating = (st.session_state[key] or 0) + 1 if st.session_state[key] is not None else 0
        _rate(exchange, api, "")

    st.caption("Was this right?", width="content")
    st.feedback("stars", key=key, on_change=rated, default=exchange.rating - 1 if exchange.rating else None)
    if exchange.rating_problem:
        st.caption(f":red[{plain(exchange.rating_problem.told[0])} The rating was not kept: choose it again.]", width="content")
    elif exchange.rating:
        st.caption(f"Kept: {exchange.rating} of {_STARS}", width="content")


def _reason(exchange: Exchange, api: Api) -> None:
    """Why, once there are stars."""
    if not exchange.rating or exchange.rating_problem:
        return
    if exchange.reason:
        st.caption(f"Your reason: {plain(exchange.reason)}")
        return
    with st.form(f"reason-form-{exchange.name}", border=False):
        reason = st.text_input("What was right or wrong? (optional)", key=f"reason-{exchange.name}", max_chars=_MOST_REASON)
        if st.form_submit_button("Send reason") and reason.strip():
            _rate(exchange, api, reason.strip())
            st.rerun()


def _rate(exchange: Exchange, api: Api, reason: str) -> None:
    if not exchange.rating:
        return
    try:
        api.rate(exchange.name, exchange.rating, reason)
    except ProblemError as error:
        exchange.rating_problem = error.problem
        return
    exchange.rating_problem, exchange.reason = None, reason
