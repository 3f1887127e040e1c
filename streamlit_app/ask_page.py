"""The Ask page: starter questions, the conversation so far, the question under way, and the line to ask in."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import streamlit as st

from streamlit_app.answer_tools import show_tools, step_line
from streamlit_app.answer_view import show_answer
from streamlit_app.asking import asked
from streamlit_app.client import Api
from streamlit_app.conversation import Conversation, Exchange
from streamlit_app.plain import plain
from streamlit_app.problems import AWAY, Problem, ProblemError, problem_of

_LONGEST, _STARTERS, _UNTIL_READY = 1_000, 6, 2.0
_HINT = "Ask about the data, in plain words"


def show(api: Api) -> None:
    """The page."""
    conversation: Conversation = st.session_state.setdefault("conversation", Conversation())
    st.chat_input(_HINT, key="asked", max_chars=_LONGEST, on_submit=lambda: conversation.ask(st.session_state["asked"]))
    if not conversation.exchanges:
        _introduction(api, conversation)
        return
    _head(conversation)
    for exchange in conversation.exchanges:
        _question(exchange)
        if exchange.done:
            _outcome(exchange, conversation, api)
    if conversation.pending:
        _answer(conversation.pending, conversation, api)


def _head(conversation: Conversation) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title("Ask", anchor=False, width="content")
        st.button("New conversation", icon=":material/add_comment:", key="new", on_click=_begin_anew, args=(conversation,))


def _begin_anew(conversation: Conversation) -> None:
    conversation.stop()
    st.session_state["conversation"] = Conversation()


def _question(exchange: Exchange) -> None:
    with st.chat_message("user", avatar=":material/person:"):
        st.text(exchange.question)


def _outcome(exchange: Exchange, conversation: Conversation, api: Api) -> None:
    latest = exchange is conversation.exchanges[-1]
    with st.container(key=f"answer-{exchange.name}", gap="xsmall"):
        if exchange.answer is not None:
            show_answer(exchange, conversation, latest=latest)
            if exchange.answer["status"] == "answered" and exchange.answer["kind"] != "greeting":
                show_tools(exchange, api)
        elif exchange.problem is not None:
            show_problem(exchange.problem)
            _again(exchange, conversation)
        else:
            st.info("Stopped. The query was called off; nothing runs on.", icon=":material/stop_circle:")
            _again(exchange, conversation)


def _again(exchange: Exchange, conversation: Conversation) -> None:
    st.button("Ask again", key=f"again-{exchange.name}", icon=":material/refresh:", on_click=conversation.again, args=(exchange,))


def show_problem(problem: Problem) -> None:
    """What went wrong and what to do, and the API's own words where they say more."""
    happened, todo = problem.told
    more = f" {plain(problem.detail)}" if problem.detail and problem.detail != happened else ""
    st.error(f"**{plain(happened)}**{more}  \n{todo}", icon=":material/error:")


def _answer(exchange: Exchange, conversation: Conversation, api: Api) -> None:
    """Ask, and show the steps as they happen. Whatever else the reader does on the page stops the question."""
    with st.status("Working on it …", expanded=True, type="compact") as status:
        st.button("Stop the question", key="stop", icon=":material/stop_circle:", on_click=conversation.stop)
        try:
            _follow(exchange, api)
        except ProblemError as error:
            exchange.problem = error.problem
        finally:
            exchange.stopped = not exchange.done or exchange.stopped
        status.update(label="Done", state="complete", expanded=False)
    st.rerun()


def _follow(exchange: Exchange, api: Api) -> None:
    line, waited = st.empty(), st.empty()
    with closing(asked(api.url, exchange.body)) as messages:
        for beat, message in enumerate(messages):
            if message is None:
                waited.caption(f"still at it{'.' * (beat % 4)}")  # where the page hears that the reader has gone on
                continue
            exchange.hear(message)
            if message["type"] == "error":
                problem = problem_of(message["problem"])
                exchange.stopped = problem.slug == "cancelled"
                exchange.problem = None if exchange.stopped else problem
            line.markdown("  \n".join(map(step_line, exchange.steps)))
    if not exchange.done:
        raise ProblemError(AWAY)


def _introduction(api: Api, conversation: Conversation) -> None:
    st.title("Ask about the data", anchor=False)
    try:
        told = api.examples()
    except ProblemError as error:
        show_problem(error.problem)
        st.button("Try again", key="retry", icon=":material/refresh:")
        return
    st.fragment(_starters, run_every=None if told["complete"] else _UNTIL_READY)(api, conversation)


def _starters(api: Api, conversation: Conversation) -> None:
    """What the release covers, and questions that it has answered already."""
    try:
        told = api.examples()
    except ProblemError as error:
        show_problem(error.problem)
        return
    st.caption(f"{plain(told['title'])} · release {told['release']} · you ask as {plain(told['role'])}")
    first = _spread(told["examples"])
    if not first:
        st.caption(":material/hourglass: Questions to begin with appear here as soon as this release has answered them.")
        return
    st.subheader("Questions to begin with", anchor=False)
    for left, right in zip(first[::2], [*first[1::2], None][: len(first[::2])], strict=True):
        columns = st.columns(2, gap="small")
        for column, example in zip(columns, (left, right), strict=True):
            if example:
                _starter(column, example["question"], conversation)
    rest = [one for one in told["examples"] if one not in first]
    if rest:
        with st.expander(f"{len(rest)} more that this release answers", type="compact"):
            for example in rest:
                _starter(st.container(), example["question"], conversation, tertiary=True)


def _starter(place: Any, question: str, conversation: Conversation, *, tertiary: bool = False) -> None:
    if place.button(
        plain(question),
        key=f"starter-{question}",
        wrap=True,
        width="content" if tertiary else "stretch",
        type="tertiary" if tertiary else "secondary",
    ):
        conversation.ask(question)
        st.rerun()


def _spread(examples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first few, of as many topics as there are."""
    topics: dict[str, list[dict[str, Any]]] = {}
    for example in examples:
        topics.setdefault(example["topic"], []).append(example)
    deepest = max(map(len, topics.values()), default=0)
    turns = [group[place] for place in range(deepest) for group in topics.values() if place < len(group)]
    return turns[:_STARTERS]
