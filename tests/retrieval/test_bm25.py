"""Words find what is called so: plurals folded, whole names before parts, equal scores by id."""

from __future__ import annotations

import pytest

from rag_backend.retrieval.bm25 import Bm25, terms_of
from rag_backend.retrieval.documents import TABLES, Document, Documents


def _found(text: str, *documents: Document) -> list[str]:
    return [name for name, _ in Bm25(documents).ranked(text, {one.id for one in documents})]


def _called(name: str, *names: str) -> Document:
    return Document(name, f"metric:{name}", TABLES, names[0], names[1:])


def test_words_are_folded() -> None:
    """Lower case, singular, without words that say nothing; with pairs of neighbours."""
    assert terms_of("How many Policies are there, by the Branches?") == ["policy", "branch", "policy branch"]
    assert terms_of("what is the of a") == []


def test_a_whole_name_goes_before_a_part_of_one() -> None:
    """`claims` is named whole; of `claims per member` only a part stands in the question, however rare its other words are."""
    assert _found("claims by region", _called("a", "claims per member"), _called("b", "claims"))[0] == "b"
    assert _found("how many claims per member", _called("a", "claims per member"), _called("b", "claims"))[0] == "a"


def test_one_of_several_names_is_enough() -> None:
    """Many synonyms make a document no longer, and none of them weaker."""
    many = _called("a", "billed amount", *(f"synonym {number}" for number in range(40)), "charges")
    assert _found("charges last year", many, _called("b", "charge codes of the year"))[0] == "a"


def test_what_shares_no_word_is_not_found() -> None:
    """Nothing is filled up."""
    assert _found("weather", _called("a", "claims"), _called("b", "members")) == []
    assert _found("", _called("a", "claims")) == []
    assert _found("claims", _called("a", "claims"), _called("b", "members")) == ["a"]


def test_equals_are_told_apart_by_id() -> None:
    """Whatever the order in which they were given."""
    twins = [_called(name, "claims") for name in ("c", "a", "b")]
    assert _found("claims", *twins) == _found("claims", *reversed(twins)) == ["a", "b", "c"]


def test_only_what_is_asked_among_is_found() -> None:
    """Also where something else is nearer."""
    index = Bm25([_called("a", "claims"), _called("b", "denied claims")])
    assert [name for name, _ in index.ranked("denied claims", {"a"})] == ["a"]
    assert index.ranked("denied claims", set()) == []


def test_the_same_twice(documents: Documents) -> None:
    """Two indexes of the same documents rank alike, to the last digit."""
    among = {one.id for one in documents.all}
    first, second = Bm25(documents.all), Bm25(documents.all)
    for text in ("denial rate by payer", "how much did members owe", "turnaround of claims"):
        assert first.ranked(text, among) == second.ranked(text, among) != []


@pytest.mark.parametrize("text", ["\x00", "💊" * 500, "a" * 2_000, "' OR 1=1 --", "claims " * 300])
def test_any_text_can_be_asked(text: str, documents: Documents) -> None:
    """Nothing is raised."""
    assert isinstance(Bm25(documents.all[:20]).ranked(text, {one.id for one in documents.all}), list)
