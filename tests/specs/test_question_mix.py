"""The question mix: sound as it is published, drawn alike every time, understood in every text; what is wrong in one is told by its line."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from medflow.bench.draw import drawn
from medflow.errors import DeclarationError
from medflow.settings import packaged_knowledge_base
from medflow.specs.question_mix import MIX_FILE, QuestionMix, filled, load_question_mix
from rag_backend.assistant import opened
from rag_backend.planners.base import Planned
from rag_backend.query.canonical import canonical
from tests.support.lake import RUN_DATE, Lake

MIX = load_question_mix(packaged_knowledge_base())
_SAMPLE = 400
_HARDLY = (("how: again, weight: 1", "how: again, weight: 0.001"), ("how: once, weight: 1", "how: once, weight: 0.001"))
SMALL = """
seed: 3
askings: 9
values:
  payer: {Aetna: 2, BlueCross: 1}
  year: {"2024": 1, "2025": 1, "2026": 1}
kinds:
  standing: {about: x, how: again, weight: 1, questions: [{wordings: [claims by payer, claims per payer]}]}
  varied: {about: x, how: varied, goes_on: 0.9, weight: 1, questions: [{wordings: ["claims of {payer} in {year}"]}]}
  single: {about: x, how: once, weight: 1, questions: [{wordings: ["members in {year}"]}]}
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A small sample."""
    lake = Lake(tmp_path_factory.mktemp("mix") / "lake")
    lake.generate(2_000)
    lake.run()
    return lake


def mix(folder: Path, *changes: tuple[str, str]) -> QuestionMix:
    """A small mix with replacements in its text."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / MIX_FILE).write_text(text.lstrip(), encoding="utf-8")
    return load_question_mix(folder)


def test_the_same_day_is_drawn_from_the_same_seed(tmp_path: Path) -> None:
    """Texts and order; another seed draws another day."""
    assert drawn(MIX) == drawn(load_question_mix(packaged_knowledge_base()))
    assert drawn(mix(tmp_path)) != drawn(mix(tmp_path, ("seed: 3", "seed: 4")))


def test_kinds_share_the_askings_by_weight(tmp_path: Path) -> None:
    """All askings are given out, also where they do not divide."""
    for whole in (mix(tmp_path), mix(tmp_path, ("askings: 9", "askings: 7")), MIX):
        assert Counter(asking.kind for asking in drawn(whole)) == Counter(whole.shares)
        assert sum(whole.shares.values()) == whole.askings == len(drawn(whole))
    heavy = mix(tmp_path, ("how: again, weight: 1", "how: again, weight: 7"))
    assert heavy.shares == {"standing": 7, "varied": 1, "single": 1}


def test_what_is_asked_once_is_asked_once() -> None:
    """Neither within its kind nor by another."""
    counts = Counter(asking.text for asking in drawn(MIX))
    once = [asking.text for asking in drawn(MIX) if MIX.kinds[asking.kind].how == "once"]
    assert once
    assert {counts[text] for text in once} == {1}


def test_whoever_goes_on_changes_one_value(tmp_path: Path) -> None:
    """Of two that follow each other, one of the two places differs, and never none."""
    day = drawn(mix(tmp_path, *_HARDLY).model_copy(update={"askings": 1_000}))
    texts = [asking.text.split()[2::2] for asking in day if asking.kind == "varied"]
    changed = [sum(one != other for one, other in zip(before, after, strict=True)) for before, after in pairwise(texts)]
    assert Counter(changed)[1] > 0.75 * len(changed)


def test_weights_are_kept(tmp_path: Path) -> None:
    """A value of twice the weight is first asked about about twice as often."""
    only = mix(tmp_path, ("goes_on: 0.9", "goes_on: 0"), *_HARDLY).model_copy(update={"askings": 3_000})
    asked = Counter(asking.text.split()[2] for asking in drawn(only) if asking.kind == "varied")
    assert 1.7 < asked["Aetna"] / asked["BlueCross"] < 2.3


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("claims of {payer} in", "claims of {insurer} in", "{insurer} is no declared value; there are: payer, year"),
        ('"members in {year}"', '"members in {}"', "{} is no declared value"),
        ('["claims of {payer} in {year}"]', '["claims of {payer} in {year}", "claims in {year}"]', "every wording takes the same values"),
        ('["claims of {payer} in {year}"]', "[claims of Aetna]", "takes no value that could be changed"),
        ("payer: {Aetna: 2, BlueCross: 1}", "payer: {Aetna: 2, BlueCross: 0}", "each with a weight above 0"),
        ("payer: {Aetna: 2, BlueCross: 1}", "payer: {}", "one value or more"),
        ("  year: {", "  day: {Monday: 1}\n  year: {", "day stands in no question"),
        ("claims per payer", "claims of Aetna in 2025", "another question can be asked as"),
        ("how: once, weight: 1", "how: once, weight: 4", "6 are asked once, and there are 3 texts"),
        ("askings: 9", "askings: 0", "greater than or equal to 1"),
        ("goes_on: 0.9", "goes_on: 1", "less than 1"),
        ("how: again", "how: often", "how"),
        ("about: x, how: once", "abuot: x, how: once", "unknown key"),
    ],
)
def test_a_problem_names_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    """File, line and what is allowed."""
    with pytest.raises(DeclarationError) as error:
        mix(tmp_path, (old, new))
    line = SMALL.lstrip()[: SMALL.lstrip().index(old)].count("\n") + 1
    hits = [problem for problem in error.value.problems if told in problem]
    assert hits, error.value.problems
    assert all(problem.startswith(f"{MIX_FILE}:") for problem in hits)
    assert any(abs(int(problem.split(":")[1]) - line) <= 1 for problem in hits), (hits, line)


def test_no_mix_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"question_mix\.yaml:1: is missing"):
        load_question_mix(tmp_path)


def test_every_text_of_the_day_is_answered(lake: Lake) -> None:
    """For an analyst on the sample, on the day that it is asked."""
    texts = dict.fromkeys(asking.text for asking in drawn(MIX))
    with opened(lake.settings, "analyst") as assistant:
        ends = {text: assistant.ask(text, RUN_DATE)["status"] for text in texts}
    assert [text for text, status in ends.items() if status != "answered"] == []


def test_texts_that_other_seeds_draw_are_understood(lake: Lake) -> None:
    """A sample of all texts, and one at least of each pattern; wordings of one pattern ask the same."""
    with opened(lake.settings, "analyst") as assistant:
        services = assistant.services

        def asks(text: str) -> str:
            outcome = services.planner.plan(text, RUN_DATE)
            assert isinstance(outcome, Planned), text
            return canonical(outcome.query, services.model).model_dump_json()

        for pattern in (pattern for kind in MIX.kinds.values() for pattern in kind.questions):
            first = {name: next(iter(MIX.values[name])) for name in pattern.names}
            assert len({asks(filled(wording, first)) for wording in pattern.wordings}) == 1, pattern.wordings
        for text in Random(5).sample(
            sorted({text for kind in MIX.kinds.values() for p in kind.questions for text in MIX.texts(p)}), _SAMPLE
        ):
            asks(text)
