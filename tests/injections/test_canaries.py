"""Nothing of the data leaves the house: what a role asked, was answered and was told of is held against every byte that was sent."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rag_backend.model.scripted import Answer, Rule
from rag_backend.query.typed_query import TypedQuery
from tests.injections.cases import DENIALS
from tests.injections.hostile_lake import plants
from tests.injections.stage import ROLES, WORDS_OF_TABLE, Asked, Stage
from tests.planners.replies import sql, typed
from tests.support.counts import counted
from tests.support.lake import ROOT, Lake

_OF_THE_BANKS = counted(40, 400)
_PUBLIC_NAMES = {"aetna", "denial rate", "[id_1]", "[name_1]"}  # names of people that are words of the declarations or of a request
_MANY_DIGITS = 5


@pytest.mark.parametrize("role", ROLES)
def test_no_cell_is_sent(role: str, stage: Stage) -> None:
    """One long conversation, with repairs and tables put into words: no identifier, name or canary, and no number of an answer before."""
    secrets, seen, kinds = _secrets(stage.lake), set(), Counter()
    assert len(_questions()) >= 60
    for question in _questions():
        asked = stage.ask(role, question, _rules(role, question, stage), f"canaries {role}")
        for request in asked.requests:
            body, messages = request.body.decode().casefold(), json.dumps(request.json["messages"])
            assert not [secret for secret in secrets if secret in body], question
            assert not [cell for cell in seen if cell in messages and cell not in question], question
        seen |= set(_numbers(asked))
        kinds += Counter(asked=bool(asked.planned), repaired=len(asked.planned) > 1, worded=len(asked.requests) > len(asked.planned))
    assert kinds["asked"] > len(_questions()) / 2
    assert kinds["repaired"] > len(_questions()) / 3
    assert kinds["worded"] > 2
    assert len(seen) > (5 if role == "business" else 30)  # most numbers are closed to business


@cache
def _questions() -> tuple[str, ...]:
    """Of the banks, a seeded sample; then those that name somebody."""
    lines = [
        line for file in sorted((ROOT / "tests/data").glob("questions*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()
    ]
    banks = [json.loads(line)["question"] for line in random.Random(11).sample(lines, _OF_THE_BANKS)]
    return (*banks, *plants()["identifying"])


def _rules(role: str, question: str, stage: Stage) -> list[Rule]:
    """A reply that is repaired, then the right one where there is one; else a wrong one, which is told by the words of the question."""
    alone = stage.alone(role, question)
    named = question in plants()["identifying"]  # of which the model is shown little, and nothing that the data say of it
    query = TypedQuery.model_validate(DENIALS if named else alone["typed_query"] or DENIALS)
    hidden = sql("SELECT [id_1] FROM healthcare.claims_clean WHERE member_id IN ('[id_1]', '[name_1]', '[name_2]')")
    return [
        Rule(contains=WORDS_OF_TABLE, reply=Answer(text="{r1c1} has {r1c2}.")),
        Rule(call=1, reply=Answer(text="Who is that?")),
        Rule(call=2, reply=typed(query, question.split()[0] if named else question)),
        Rule(reply=hidden),
    ]


@cache
def _cells(home: Path, knowledge_base: Path, table: str, column: str) -> frozenset[str]:
    rows = Lake(home, knowledge_base).rows(table, f"DISTINCT {column}")
    return frozenset(str(row[column]).casefold() for row in rows if row[column])


def _secrets(lake: Lake) -> set[str]:
    """Canaries, and every cell that tells a person, a claim, a file or a row apart."""
    identifiers = ("member_id", "member_key", "claim_id", "row_id", "file_id", "rendering_npi", "billing_npi")
    at = (lake.home, lake.knowledge_base)
    found = {cell for name in identifiers for cell in _cells(*at, "healthcare.claims_clean", name)}
    found |= {name for name in _cells(*at, "healthcare.providers", "name") if name not in _PUBLIC_NAMES}
    found |= {word for name in found for word in re.findall(r"canary\w+|quillfeather|o'thornbury|ashgrove", name)}
    return found | {text.casefold() for text in ("CANARY", plants()["tax_id"], *plants()["written"])}


def _numbers(asked: Asked) -> Iterator[str]:
    """Numbers of an answer's tables, as long ones: few would stand anywhere by chance."""
    tables: list[dict[str, Any]] = [asked.answer, *asked.answer["parts"]]
    for table in tables:
        for row in table["rows"]:
            yield from (str(cell) for cell in row if isinstance(cell, (int, float)) and sum(map(str.isdigit, str(cell))) >= _MANY_DIGITS)
            yield from (cell for cell in row if isinstance(cell, str) and re.fullmatch(r"-?\d+\.\d{2,}", cell) and len(cell) > _MANY_DIGITS)
