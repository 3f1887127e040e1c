"""Points at which a question has several readings: each way of deciding all of them is one candidate query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
_MOST = 12


class Undecided(Exception):
    """A point without a decision yet."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


@dataclass
class Choices:
    """The decisions of one candidate, and what was asked at each."""

    picked: tuple[int, ...] = ()
    asked: list[str] = field(default_factory=list)

    def choose(self, question: str, options: Sequence[T]) -> T:
        """One of the options; a single one is no choice.

        Raises:
            Undecided: nothing is decided here yet.
        """
        if len(options) == 1:
            return options[0]
        number = len(self.asked)
        if number >= len(self.picked):
            raise Undecided(len(options))
        self.asked.append(question)
        return options[self.picked[number]]


def every(build: Callable[[Choices], T]) -> Iterator[tuple[T, Choices]]:
    """All candidates that the decisions allow, at most twelve."""
    open_points: list[tuple[int, ...]] = [()]
    made = 0
    while open_points and made < _MOST:
        choices = Choices(open_points.pop(0))
        try:
            yield build(choices), choices
            made += 1
        except Undecided as undecided:
            open_points = [(*choices.picked, number) for number in range(undecided.count)] + open_points
