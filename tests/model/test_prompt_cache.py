"""Cached tokens are counted truly: what is read was sent before, byte for byte, up to a breakpoint."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rag_backend.model.scripted.prompt_cache import Counted, PromptCache, tokens

KEPT = {"cache_control": {"type": "ephemeral"}}


def text(words: str, *, kept: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": words, **(KEPT if kept else {})}


def body(system: list[Any], said: str, model: str = "m", tools: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"model": model, "tools": list(tools), "system": system, "messages": [{"role": "user", "content": said}]}


def test_the_second_question_reads_what_the_first_wrote() -> None:
    """Tools and system up to the breakpoint; the question is never kept."""
    cache = PromptCache(0)
    system = [text("rules" * 90), text("catalogue" * 90, kept=True)]
    first, second = cache.count(body(system, "one")), cache.count(body(system, "two"))
    assert first.read == 0 and first.written > 300
    assert (second.read, second.written, second.input) == (first.written, 0, first.input)


def test_another_model_tool_or_byte_reads_nothing() -> None:
    """The prefix is everything before the breakpoint, and each model has its own."""
    cache = PromptCache(0)
    system = [text("rules" * 90, kept=True)]
    cache.count(body(system, "one"))
    assert cache.count(body(system, "one", model="other")).read == 0
    assert cache.count(body(system, "one", tools=({"name": "t", "input_schema": {}},))).read == 0
    assert cache.count(body([text("Rules" * 90, kept=True)], "one")).read == 0


def test_the_order_of_keys_counts() -> None:
    """A tool whose keys come in another order is another prefix."""
    cache = PromptCache(0)
    system = [text("rules", kept=True)]
    cache.count(body(system, "one", tools=({"name": "t", "description": "d"},)))
    assert cache.count(body(system, "one", tools=({"description": "d", "name": "t"},))).read == 0


def test_without_a_breakpoint_or_below_the_least_length_nothing_is_kept() -> None:
    """The API says nothing about it either."""
    cache = PromptCache(1_024)
    for system in ([text("rules" * 900)], [text("rules", kept=True)]):
        assert [(one.read, one.written) for one in (cache.count(body(system, "one")), cache.count(body(system, "one")))] == [(0, 0), (0, 0)]


def test_from_a_breakpoint_at_most_20_blocks_are_looked_back() -> None:
    """What was kept further in front is not found."""
    for more, found in ((20, True), (21, False)):
        cache = PromptCache(0)
        cache.count(body([text("rules" * 90, kept=True)], "one"))
        longer = [text("rules" * 90), *(text(f"part {number}") for number in range(more - 1)), text("end", kept=True)]
        assert (cache.count(body(longer, "one")).read > 0) is found


_BLOCKS = st.lists(st.tuples(st.sampled_from(["a", "bb" * 9, "ccc" * 40, "ü" * 7]), st.booleans()), min_size=1, max_size=6)


@settings(deadline=None)
@given(st.lists(_BLOCKS, min_size=1, max_size=6))
def test_every_token_is_counted_once(requests: list[list[tuple[str, bool]]]) -> None:
    """Read, written and other tokens add up to all of them; nothing is read that was not written; asked again, all that is kept is read."""
    cache, most = PromptCache(0), 0
    for blocks in requests:
        sent = body([text(words, kept=kept) for words, kept in blocks], "q")
        first, again = cache.count(sent), cache.count(sent)
        assert min(first.input, first.read, first.written) >= 0 and first.read <= most
        assert sum((first.input, first.read, first.written)) == sum((again.input, again.read, again.written))
        assert again == Counted(first.input, first.read + first.written, 0)
        most = max(most, first.read + first.written)


def test_a_token_is_four_characters() -> None:
    """Rounded up."""
    assert [tokens(count) for count in (0, 1, 4, 5)] == [0, 1, 1, 2]
