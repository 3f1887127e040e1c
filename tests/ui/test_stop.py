"""Stopping: what the reader gives up, the engine gives up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from rag_backend.model.scripted import KEY, Rule, ScriptedModel
from tests.api.server import Server, serving
from tests.api.test_cancel import is_busy, is_idle
from tests.api.test_service import long_sql, until
from tests.planners.replies import sql
from tests.support.lake import Lake
from tests.ui.conftest import Readers
from tests.ui.page import WAIT_MS, paged, words

_LONG, _SHORT = "pairs of lines of one payer", "lines that a model counts"


@pytest.fixture(scope="module")
def slow(small: Lake) -> Iterator[Server]:
    """An API whose model writes minutes of SQL for one question, and a short query for another; its queries may take ten minutes."""
    rules = [
        Rule(contains=_LONG, reply=sql(long_sql())),
        Rule(contains=_SHORT, reply=sql("SELECT COUNT(*) AS n FROM healthcare.claims_clean")),
    ]
    with pytest.MonkeyPatch.context() as patch, ScriptedModel(rules) as model:
        patch.setenv("ANTHROPIC_API_KEY", KEY)
        for name in ("ANTHROPIC_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        with serving(small, planner="claude", model_base_url=model.url, query_timeout_s="600") as server:
            assert until(lambda: server.client.get("/examples").json()["complete"], 240)
            yield server


@pytest.fixture(scope="module")
def slow_url(slow: Server) -> Iterator[str]:
    with paged(slow.url) as url:
        yield url


def test_stop_stops_the_query(slow: Server, slow_url: str, reader_of: Readers) -> None:
    """The engine computes no more, the page says so, and asking goes on in the same conversation."""
    reader = reader_of(slow_url)
    reader.send(_LONG)
    reader.page.get_by_text("Run the query").wait_for(timeout=WAIT_MS)
    assert is_busy(slow)
    reader.button("Stop the question").click()
    assert "Stopped" in words(reader.answer(0))
    assert until(lambda: is_idle(slow))
    assert "Unverified" in words(reader.ask(_SHORT))
    assert reader.questions == [_LONG, _SHORT]


def test_another_question_stops_it_too(slow: Server, slow_url: str, reader_of: Readers) -> None:
    """Whoever goes on asking has given up the question before."""
    reader = reader_of(slow_url)
    reader.send(_LONG)
    reader.page.get_by_text("Run the query").wait_for(timeout=WAIT_MS)
    reader.send(_SHORT)
    expect(reader.answers).to_have_count(2, timeout=WAIT_MS)
    assert "Stopped" in words(reader.answers.first)
    assert until(lambda: is_idle(slow))


def test_a_closed_page_stops_it(slow: Server, slow_url: str, reader_of: Readers) -> None:
    """Whoever leaves has given up, too."""
    reader = reader_of(slow_url)
    reader.send(_LONG)
    reader.page.get_by_text("Run the query").wait_for(timeout=WAIT_MS)
    assert is_busy(slow)
    reader.page.close()
    assert until(lambda: is_idle(slow), 180)
