"""The explanation in the model's words, of a table that it never sees: sentences with placeholders for cells, filled in here.

What it is told are column labels, units, the order, and what the findings are of. What it says is used only if it asserts nothing by
itself: no digit, no comparison that the facts do not make, no masked cell. Else the template stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rag_backend.engines.base import Cancellation
from rag_backend.model.base import Model, ModelRequest, user_message
from rag_backend.model.errors import ModelError
from rag_backend.model.prices import cost_of
from rag_backend.planners.base import Spent
from rag_backend.planners.claude.plain_words import says_only, words_of

ROWS_TOLD = 5
_LONGEST, _TOKENS = 400, 300
_CELL = re.compile(r"\{r(\d{1,3})c(\d{1,3})\}")
_ASSERTS = re.compile(
    r"\b(\w+(?:est|er) than|(?:high|low|larg|small|great|few|long|short)(?:er|est)|most|least|more|less|fewer|top|bottom"
    r"|best|worst|first|last|lead\w*|ahead|behind|follow\w*"
    r"|r[oi]se\w*|f[ae]ll\w*|increas\w+|decreas\w+|grew|grow\w*|drop\w*|declin\w+|doubl\w+|half|twice|trend\w*|average|total|because|due"
    r"|caus\w+|should|recommend\w*|signific\w+|all|none|every|no|not|never|always|only|one|two|three|four|five|six|seven|eight|nine|ten)\b",
    re.IGNORECASE,
)
_GROUP = "(group)"  # how the label of a column of groups ends
_SYSTEM = """You introduce a table to its reader in one or two short plain sentences. You do not see its cells.
Where a cell belongs, write its placeholder {r<row>c<column>}, counted from 1, such as {r1c2}. Write no digits and no numbers in words.
Compare, rank or judge only where the facts say so, in the facts' own words. Name no cause and give no advice."""


@dataclass(frozen=True)
class Facts:
    """What is told of an answer: labels of its columns with units, what is known of its order, and the cells as people read them.

    `cells`: (row, column) from 1 to text; a masked cell is not among them.
    """

    columns: tuple[str, ...]
    known: tuple[str, ...]
    cells: Mapping[tuple[int, int], str]


@dataclass(frozen=True)
class Worded:
    """The sentences, '' where they are not used, and what they took."""

    text: str = ""
    spent: Spent = field(default_factory=Spent)


Wording = Callable[[Facts, Cancellation], Worded]


def worded_by(model: Model, name: str) -> Wording:
    """One call of the light model; nothing where it cannot be asked or what it says is not used."""

    def worded(facts: Facts, cancel: Cancellation) -> Worded:
        listed = "\n".join(f"column {number}: {label}" for number, label in enumerate(facts.columns, 1))
        known = "\n".join(f"fact: {fact}" for fact in facts.known)
        request = ModelRequest(name, (_SYSTEM,), (user_message(f"{listed}\n{known}"),), max_tokens=_TOKENS)
        try:
            reply = model.reply(request, cancel)
        except ModelError:
            return Worded()
        spent = Spent(reply.usage.total, reply.usage.cache_read, cost_of(name, reply.usage))
        return Worded(filled(reply.text, facts) if reply.stop_reason == "end_turn" else "", spent)

    return worded


def filled(text: str, facts: Facts) -> str:
    """The sentences with their cells; '' where they say anything of their own."""
    plain = " ".join(text.split()) if len(text) <= 2 * _LONGEST else ""
    told = {word for fact in (*facts.columns, *facts.known) for word in words_of(fact)}
    asserted = {word for match in _ASSERTS.finditer(_CELL.sub("", plain)) for word in words_of(match.group())}
    places = [(int(row), int(column)) for row, column in _CELL.findall(plain)]
    plainly = len(plain) <= _LONGEST and says_only(_CELL.sub("it", plain), told)
    if not plainly or not asserted <= told or not _of_their_rows(places, facts):
        return ""
    return _CELL.sub(lambda match: facts.cells[int(match[1]), int(match[2])], plain)


def _of_their_rows(places: list[tuple[int, int]], facts: Facts) -> bool:
    """Whether each cell is there, and each number stands behind a group of its own row: said of another group it would be wrong.

    Where there are numbers of several kinds, none is shown: nobody can tell what a sentence calls it.
    """
    groups = {number for number, label in enumerate(facts.columns, 1) if label.endswith(_GROUP)}
    several = len(facts.columns) - len(groups) > 1
    before = 0
    for row, column in places:
        number = column not in groups
        if (row, column) not in facts.cells or (number and (several or (bool(groups) and row != before))):
            return False
        before = row
    return True
