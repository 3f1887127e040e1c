"""Ratings of answers: kept once an answer, told in the targets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.api.server import Server, serving
from tests.support.lake import Lake


def test_the_last_rating_of_each_answer_counts(small: Lake, tmp_path: Path) -> None:
    """`medflow status --targets` has their mean and number."""
    lake = Lake(tmp_path / "lake")
    shutil.copytree(small.home, lake.home, ignore=shutil.ignore_patterns("app.db*"))
    with serving(lake) as server:
        first, second = server.ask("claims by payer"), server.answer("/sql", sql="SELECT 1 AS one")
        for answer, rating, reason in ((first, 1, "what is this?\0"), (first, 5, ""), (second, 4, "x" * 500)):
            kept = server.answer("/feedback", answer_id=answer["answer_id"], rating=rating, reason=reason)
            assert kept == {"answer_id": answer["answer_id"], "rating": rating}
    command = [sys.executable, "-m", "medflow", "status", "--targets", "--json"]
    told = subprocess.run(command, env=lake.environment(), capture_output=True, text=True, check=False)
    (rated,) = [one for one in json.loads(told.stdout)["targets"] if one["name"] == "mean rating"]
    assert (rated["value"], rated["state"]) == (4.5, "met")
    assert "(2)" in rated["figure"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"rating": 0}, 422),
        ({"rating": 6}, 422),
        ({"rating": 4.5}, 422),
        ({"rating": "5"}, 422),
        ({"rating": True}, 422),
        ({"reason": "x" * 501}, 422),
        ({"reason": None}, 422),
        ({"answer_id": "1"}, 422),
        ({"answer_id": uuid.uuid4().hex}, 404),
        ({"role": "admin"}, 422),
    ],
)
def test_what_is_no_rating(changed: dict[str, Any], status: int, server: Server) -> None:
    answer = server.ask("hello")
    server.problem(server.client.post("/feedback", json={"answer_id": answer["answer_id"], "rating": 3} | changed), status)


def test_only_json(server: Server) -> None:
    server.problem(server.client.post("/feedback", content=b"rating=5", headers={"Content-Type": "text/plain"}), 415)
