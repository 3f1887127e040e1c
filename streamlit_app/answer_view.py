"""One answer as a reader meets it: what came out, how the question was read, where it comes from, and what can be done next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import streamlit as st

from streamlit_app.conversation import Conversation, Exchange
from streamlit_app.plain import plain
from streamlit_app.table import show_table
from streamlit_app.vega import vega_lite

# lane -> words, icon, colour, what it means
_LANES = {
    "certified": (
        "Certified",
        ":material/verified:",
        "green",
        "This question is an approved example: a person wrote its SQL, and a test compares the rows.",
    ),
    "semantic": ("Semantic", ":material/schema:", "blue", "Computed from the declared definitions of metrics and dimensions."),
    "ad_hoc": (
        "Unverified",
        ":material/warning:",
        "orange",
        "A model wrote this SQL. What it counts was not checked: look at it before you rely on it.",
    ),
    "sql": ("SQL", ":material/code:", "gray", "The SQL was typed by hand."),
    "definition": ("Definition", ":material/menu_book:", "gray", "Taken from the glossary and the declared definitions."),
}
_REFUSED = {
    "not_in_data": "The data do not hold this",
    "unknown_value": "The data hold no such value",
    "not_permitted": "Your role may not see this",
    "ambiguous": "This can be read in several ways",
    "needs_definition": "This has no agreed definition",
    "not_understood": "Not every word of this was understood",
    "unsafe": "This was not run, to be safe",
    "off_topic": "This is not about the data",
    "prediction_or_advice": "Only what has happened can be answered",
    "engine_unavailable": "The query engine cannot be asked now",
    "over_limit": "This is more than one answer may take",
}


def show_answer(exchange: Exchange, conversation: Conversation, *, latest: bool) -> None:
    """The answer of an exchange; buttons ask on in its conversation, options only while they are open."""
    answer = exchange.answer or {}
    if answer["status"] == "clarify":
        _clarify(exchange, answer, conversation, open_still=latest)
    elif answer["status"] != "answered":
        _refused(exchange, answer, conversation)
    else:
        _answered(exchange, answer)
        if latest:
            _chips(exchange, "Ask next", answer["follow_ups"], conversation)


def _answered(exchange: Exchange, answer: Mapping[str, Any]) -> None:
    _badges(answer)
    if answer["kind"] == "definition":
        _definitions(answer)
    elif answer["parts"]:
        for number, part in enumerate(answer["parts"]):
            st.divider() if number else None
            _part(part, f"{exchange.name}-{number}")
    else:
        _part(answer, exchange.name)
    st.caption(
        "  \n".join(
            [*_readings(answer), *(f":material/info: {plain(_sentence(one['text']))}" for one in answer["notices"]), _facts(answer)]
        )
    )


def _part(part: Mapping[str, Any], key: str) -> None:
    """One question's words, chart, table and reading."""
    if part["explanation"]:
        st.markdown(f"**{plain(_sentence(part['explanation']))}**")
    spec = vega_lite(part)
    if spec is None:
        _table(part, key)
    else:
        chart, table = st.columns([3, 2], gap="medium")
        with chart:
            title = part["chart"].get("title", "")
            st.vega_lite_chart(spec, width="stretch", key=f"chart-{key}", alt=f"Chart: {title}. The table holds the same numbers.")
        with table:
            _table(part, key)


def _readings(answer: Mapping[str, Any]) -> list[str]:
    """How the question was read, part by part."""
    return [f"**Read as** {plain(part['interpretation'])}" for part in answer["parts"] or [answer] if part["interpretation"]]


def _table(part: Mapping[str, Any], key: str) -> None:
    if part["columns"] and part["rows"]:
        show_table(part, f"table-{key}")


def _badges(answer: Mapping[str, Any]) -> None:
    label, icon, color, about = _LANES.get(answer["lane"], (answer["lane"], ":material/label:", "gray", ""))
    if answer["kind"] == "greeting":
        return
    with st.container(horizontal=True, gap="small"):
        st.badge(plain(label), icon=icon, color=color, help=about or None)
        if answer["cached"]:
            st.badge(
                "Cached",
                icon=":material/bolt:",
                color="gray",
                help="The rows were computed before, on the same release and for the same role.",
            )
        if answer["suppressed_cells"] or any(part["suppressed_cells"] for part in answer["parts"]):
            st.badge(
                "Suppressed cells",
                icon=":material/visibility_off:",
                color="violet",
                help="Some numbers are too small to be shown to your role.",
            )


def _definitions(answer: Mapping[str, Any]) -> None:
    for one in answer["definitions"]:
        st.markdown(f"**{plain(_sentence(one['term'], end=''))}**  \n{plain(one['text'])}  \n:small[:gray[{plain(one['source'])}]]")


def _facts(answer: Mapping[str, Any]) -> str:
    """Date column, window, release and its age, engine and time, in one line."""
    parts = answer["parts"] or [answer]
    told = [*dict.fromkeys(text for part in parts if (text := _window(part)))]
    release = answer["release"]
    told.append(f"Release {release['number']} of {datetime.fromisoformat(release['created_at']):%d %b %Y, %H:%M} UTC")
    if answer["kind"] != "definition":
        told.append(f"{plain(answer['engine'])}, {sum(answer['timings'].values()):,.0f} ms")
    if answer.get("tokens"):
        told.append(f"{answer['tokens']:,} tokens")
    return " · ".join(told)


def _window(part: Mapping[str, Any]) -> str:
    name, window = part.get("date_column") or "", part.get("window") or {}
    if not name:
        return ""
    labels = {column["name"]: column["label"] for column in part["columns"]}
    first, until = window.get("from"), window.get("to")
    last = date.fromisoformat(until) - timedelta(days=1) if until else None
    span = f" from {date.fromisoformat(first):%d %b %Y}" if first else ""
    span += f" to {last:%d %b %Y}" if last else ""
    return f"Counted by {plain(labels.get(name, name.replace('_', ' ')))}{span}"


def _clarify(exchange: Exchange, answer: Mapping[str, Any], conversation: Conversation, *, open_still: bool) -> None:
    st.markdown(f"**{plain(answer['explanation'])}**")
    with st.container(key=f"options-{exchange.name}", gap="xsmall"):
        for option in answer["options"]:
            st.button(
                plain(option["label"]),
                wrap=True,
                key=f"option-{exchange.name}-{option['id']}",
                icon=":material/help_center:",
                on_click=conversation.choose,
                args=(option,),
                disabled=not open_still,
                help=None if open_still else "Another question was asked since: ask this one again to choose.",
            )


def _refused(exchange: Exchange, answer: Mapping[str, Any], conversation: Conversation) -> None:
    title = _REFUSED.get(answer["reason_code"], "There is no answer to this")
    with st.container(border=True, key=f"refusal-{exchange.name}"):
        st.markdown(f":material/block: **{title}**")
        st.markdown(plain(_sentence(answer["explanation"])))
    _chips(exchange, "You could ask instead", [*answer["nearest"], *answer["follow_ups"]], conversation)


def _chips(exchange: Exchange, title: str, questions: list[str], conversation: Conversation) -> None:
    """Questions that can be answered, as buttons that ask them."""
    if not questions:
        return
    busy = conversation.pending is not None
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=f"chips-{exchange.name}"):
        st.caption(title, width="content")
        for number, question in enumerate(dict.fromkeys(questions)):
            key = f"chip-{exchange.name}-{number}"
            st.button(
                plain(question),
                key=key,
                wrap=True,
                on_click=conversation.ask,
                args=(question,),
                disabled=busy,
                icon=":material/arrow_forward:",
            )


def _sentence(text: str, end: str = ".") -> str:
    """Words that begin large and end with a stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text[-1:] in '.?!:' else end}"
