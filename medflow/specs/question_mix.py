"""The published question mix as declared in `question_mix.yaml`: what is asked of a service in a working day, and how often.

A question is a pattern in one or more wordings; `{name}` in it stands for a value of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Literal

from pydantic import Field

from medflow.specs.declarations import Declarations
from medflow.specs.source import Spot
from medflow.specs.table import Declared

MIX_FILE = "question_mix.yaml"
_PLACE = re.compile(r"\{(\w*)\}")
_MOST_TEXTS = 20_000


class Pattern(Declared):
    """A question that may be asked, and how often beside the others of its kind."""

    wordings: tuple[str, ...] = Field(min_length=1)
    weight: float = Field(default=1, gt=0)

    @property
    def names(self) -> tuple[str, ...]:
        """The values that it takes, in the order in which they are first named."""
        return tuple(dict.fromkeys(name for wording in self.wordings for name in _PLACE.findall(wording)))


class Kind(Declared):
    """Questions that are asked in one way.

    `again`: as they stand, by everybody. `varied`: whoever asks one goes on, with the chance `goes_on` after each question, to the same
    with another value. `once`: no text is asked a second time.
    """

    about: str
    how: Literal["again", "varied", "once"]
    weight: float = Field(gt=0)
    goes_on: float = Field(default=0, ge=0, lt=1)
    questions: tuple[Pattern, ...] = Field(min_length=1)


class QuestionMix(Declared):
    """A working day: so many askings, drawn by this seed. Values have weights; kinds share the askings by theirs."""

    seed: int
    askings: int = Field(ge=1)
    values: dict[str, dict[str, float]]
    kinds: dict[str, Kind] = Field(min_length=1)

    @property
    def shares(self) -> dict[str, int]:
        """How many of the askings each kind has; what rounding leaves goes to the first ones."""
        whole = sum(kind.weight for kind in self.kinds.values())
        counts = {name: int(self.askings * kind.weight / whole) for name, kind in self.kinds.items()}
        for name in list(counts)[: self.askings - sum(counts.values())]:
            counts[name] += 1
        return counts

    def texts(self, pattern: Pattern) -> Iterator[str]:
        """Every text that a pattern can be asked as."""
        for chosen in product(*(self.values[name] for name in pattern.names)):
            for wording in pattern.wordings:
                yield filled(wording, dict(zip(pattern.names, chosen, strict=True)))


def filled(wording: str, values: Mapping[str, str]) -> str:
    """A wording with its values."""
    return _PLACE.sub(lambda place: values[place[1]], wording)


def load_question_mix(root: Path) -> QuestionMix:
    """Load and check `root/question_mix.yaml`.

    Raises:
        DeclarationError: all problems, each as `file:line: what`: also a value that is not declared or not used, a text that two patterns
        have, or too few texts for what is asked once.
    """
    files = Declarations(root)
    source, mix = files.built(root / MIX_FILE, QuestionMix) if files.hashed(root / MIX_FILE) else (None, None)
    if source is not None and mix is not None:
        for spot, what in (*_values(mix), *_texts(mix)):
            source.problem(spot, what)
    files.raise_problems()
    assert mix is not None  # without a problem, nothing is missing
    return mix


def _values(mix: QuestionMix) -> Iterator[tuple[Spot, str]]:
    used: set[str] = set()
    for spot, pattern in _patterns(mix):
        used.update(pattern.names)
        for name in pattern.names:
            if name not in mix.values:
                yield spot, f"{{{name}}} is no declared value; there are: {', '.join(sorted(mix.values))}"
        if any(set(_PLACE.findall(wording)) != set(pattern.names) for wording in pattern.wordings):
            yield spot, f"every wording takes the same values: {', '.join(pattern.names)}"
        if mix.kinds[str(spot[1])].how == "varied" and not any(len(mix.values.get(name, ())) > 1 for name in pattern.names):
            yield spot, "takes no value that could be changed"
    for name, weights in mix.values.items():
        if name not in used:
            yield ("values", name), f"{name} stands in no question"
        if not weights or min(weights.values()) <= 0:
            yield ("values", name), f"{name} needs one value or more, each with a weight above 0"


def _texts(mix: QuestionMix) -> Iterator[tuple[Spot, str]]:
    """Problems of what the patterns can be asked as; those whose values are unsound are told before."""
    found: dict[str, Spot] = {}
    counts = dict.fromkeys(mix.kinds, 0)
    for spot, pattern in _patterns(mix):
        if not set(pattern.names) <= set(mix.values):
            return
        for text in mix.texts(pattern):
            counts[str(spot[1])] += 1
            if found.setdefault(text.casefold(), spot) != spot:
                yield spot, f"another question can be asked as {text!r} too"
                break
        if len(found) > _MOST_TEXTS:
            yield spot, f"more than {_MOST_TEXTS:,} texts; give it fewer values"
            return
    for name, kind in mix.kinds.items():
        if kind.how == "once" and counts[name] < mix.shares[name]:
            yield ("kinds", name, "questions"), f"{mix.shares[name]} are asked once, and there are {counts[name]} texts"


def _patterns(mix: QuestionMix) -> Iterator[tuple[Spot, Pattern]]:
    for name, kind in mix.kinds.items():
        for place, pattern in enumerate(kind.questions):
            yield ("kinds", name, "questions", place), pattern
