"""A working day drawn from the question mix: the same texts in the same order for the same declaration. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from medflow.specs.question_mix import Kind, Pattern, QuestionMix, filled


@dataclass(frozen=True)
class Asking:
    """One text that is asked, and the kind that it is of."""

    kind: str
    text: str


def drawn(mix: QuestionMix) -> tuple[Asking, ...]:
    """All askings of a day; the kinds take turns by chance."""
    chance = Random(mix.seed)
    ways: Mapping[str, Callable[[QuestionMix, Kind, Random], Iterator[str]]] = {"again": _again, "varied": _varied, "once": _once}
    texts = {name: ways[kind.how](mix, kind, chance) for name, kind in mix.kinds.items()}
    turns = [name for name, count in mix.shares.items() for _ in range(count)]
    chance.shuffle(turns)
    return tuple(Asking(name, next(texts[name])) for name in turns)


def _again(mix: QuestionMix, kind: Kind, chance: Random) -> Iterator[str]:
    while True:
        pattern = _pattern(kind, chance)
        values = {name: _value(mix.values[name], chance) for name in pattern.names}
        yield filled(chance.choice(pattern.wordings), values)


def _varied(mix: QuestionMix, kind: Kind, chance: Random) -> Iterator[str]:
    """Whoever goes on keeps the wording, and changes one value to another."""
    while True:
        pattern = _pattern(kind, chance)
        wording = chance.choice(pattern.wordings)
        values = {name: _value(mix.values[name], chance) for name in pattern.names}
        yield filled(wording, values)
        while chance.random() < kind.goes_on:
            name = chance.choice([name for name in pattern.names if len(mix.values[name]) > 1])
            others = {value: weight for value, weight in mix.values[name].items() if value != values[name]}
            values[name] = _value(others, chance)
            yield filled(wording, values)


def _once(mix: QuestionMix, kind: Kind, chance: Random) -> Iterator[str]:
    """Patterns by their weights, each as long as it has a text that was not asked."""
    left = {place: list(dict.fromkeys(mix.texts(pattern))) for place, pattern in enumerate(kind.questions)}
    for texts in left.values():
        chance.shuffle(texts)
    while left:
        place = chance.choices(list(left), [kind.questions[place].weight for place in left])[0]
        yield left[place].pop()
        if not left[place]:
            del left[place]


def _pattern(kind: Kind, chance: Random) -> Pattern:
    return chance.choices(kind.questions, [pattern.weight for pattern in kind.questions])[0]


def _value(weights: Mapping[str, float], chance: Random) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
