"""`medflow bench`, all four ways: Spark by hand and the product on Spark write the same tables, cold and warm."""

from __future__ import annotations

import json

from medflow.bench.plain_files import TABLES
from tests.support.lake import Lake


def test_four_ways_write_the_same_tables(lake: Lake) -> None:
    """Six runs, no difference, each with its seconds and memory."""
    done = lake.command("bench", "--claims", "500", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    (result,) = json.loads(done.stdout)["results"]
    assert result["differences"] == []
    assert set(result["rows"]) == set(TABLES)
    runs = [(timing["way"], timing["kind"]) for timing in result["timings"]]
    assert runs == [("a", ""), ("b", ""), ("c", "cold"), ("c", "warm"), ("d", "cold"), ("d", "warm")]
    for timing in result["timings"]:
        assert timing["pipeline_seconds"] > 0
        assert timing["peak_bytes"] > 0
