"""The banks put to the assistant: no wrong answer, all that must be held back held back, and as much answered as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rag_backend.agents.turn import Services
from rag_backend.assistant import opened
from rag_backend.evaluation import Bank, ask_all, scores
from tests.support.lake import ROOT, Lake

_DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def services(banks_lake: Lake) -> Iterator[dict[str, Services]]:
    """The sample that the banks are for, as each role sees it."""
    with ExitStack() as stack:
        yield {
            role: stack.enter_context(opened(banks_lake.settings, role)).services for role in ("analyst", "business", "engineer", "admin")
        }


_LEAST = {"": 0.9, "_b": 0.81, "_c": 0.82, "_d": 0.79, "_e": 0.85, "_f": 0.8, "_g": 0.83, "_h": 0.77, "_i": 0.72}


@pytest.mark.parametrize(("bank", "least"), [(f"questions{name}.jsonl", least) for name, least in _LEAST.items()])
def test_no_wrong_answer(bank: str, least: float, services: dict[str, Services]) -> None:
    """Every wording of a bank: right, or silent."""
    asked = list(ask_all(Bank.of(_DATA / bank, services["analyst"].release), services))
    wrong = [(one.id, one.wording, one.told) for one in asked if one.mark == "wrong"]
    total = scores(asked)["total"]
    assert wrong == []
    assert total["held_back"] >= 0.98
    assert total["coverage"] >= least, total
