"""Questions of the banks on Trino: every distinct typed query gives what DuckDB gives, and a server that is down is stood in for."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from medflow.generate import SampleRequest, generate
from medflow.settings import Settings, load_settings
from rag_backend.assistant import Assistant, opened
from rag_backend.planners.base import Planned
from rag_backend.query.typed_query import TypedQuery
from tests.service_mode.copied_lake import copy_release
from tests.services.localstack import ACCESS_KEY, SECRET_KEY, WAREHOUSE, LocalStack
from tests.services.postgres import Postgres
from tests.services.server import free_ports
from tests.services.trino import Trino
from tests.support.counts import counted
from tests.support.lake import RUN_DATE, Lake

_DATA = Path(__file__).parents[1] / "data"
_CASES = [case["query"] for case in yaml.safe_load((_DATA / "typed_queries.yaml").read_text(encoding="utf-8"))]
_BANK = [json.loads(line) for path in sorted(_DATA.glob("questions*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
_ASKED = [entry for entry in _BANK if entry["kind"] == "answerable" and not entry["context"]]
_EXACT = re.compile("MEDIAN|PERCENTILE|QUANTILE")  # what Trino has no exact form of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of this machine, small enough that some groups are empty."""
    lake = Lake(tmp_path_factory.mktemp("queries") / "lake")
    generate(SampleRequest(claims=400, seed=7, out=lake.landing))
    lake.run()
    return lake


@pytest.fixture(scope="module")
def on_trino(
    built: Lake, postgres_server: Postgres, s3: LocalStack, trino_server: Trino, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The settings of the same release in Trino's lake."""
    given = {"s3_endpoint": s3.endpoint, "s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY, "cache": "none://"}
    home = tmp_path_factory.mktemp("trino-queries")
    settings = load_settings(home=home, query_engine=trino_server.url, query_timeout_s=120.0, **given)
    lake = {"catalog": postgres_server.url("lake"), "warehouse": f"s3://{WAREHOUSE}/warehouse"}
    copy_release(built.release(), load_settings(home=home, **lake, **given), settings)
    return settings


@pytest.fixture(scope="module")
def both(built: Lake, on_trino: Settings) -> Iterator[tuple[Assistant, Assistant]]:
    """The engineer's assistant on DuckDB and on Trino."""
    with ExitStack() as stack:
        embedded = built.settings.model_copy(update={"cache": "none://"})
        yield stack.enter_context(opened(embedded, "engineer")), stack.enter_context(opened(on_trino, "engineer"))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
    return one == other and isinstance(one, type(other))


def compared(both: tuple[Assistant, Assistant], query: TypedQuery) -> str:
    """Ask both and compare all that a reader sees; Trino itself answers what it has an exact form of. Who answered."""
    expected, found = (assistant.query(query, RUN_DATE) for assistant in both)
    assert found["status"] == expected["status"], (found["explanation"], expected["explanation"])
    assert [column["name"] for column in found["columns"]] == [column["name"] for column in expected["columns"]]
    assert len(found["rows"]) == len(expected["rows"])
    for one, other in zip(found["rows"], expected["rows"], strict=True):
        assert all(map(same, one, other)), (found["sql"], one, other)
    assert found["engine"] == ("duckdb" if _EXACT.search(expected["sql"]) else "trino"), found["notices"]
    return found["engine"]


def planned(assistant: Assistant, entry: dict[str, Any]) -> TypedQuery | None:
    outcome = assistant.services.planner.plan(entry["question"], date.fromisoformat(entry["today"]))
    return outcome.query if isinstance(outcome, Planned) else None


@pytest.mark.parametrize("number", random.Random(7).sample(range(len(_CASES)), counted(8, len(_CASES))))
def test_typed_queries_are_equal(both: tuple[Assistant, Assistant], number: int) -> None:
    """What persons wrote out as typed queries: the same rows in the same order, by Trino itself where it has an exact form."""
    assert compared(both, TypedQuery.model_validate(_CASES[number]))


def test_the_banks_questions_are_equal(both: tuple[Assistant, Assistant]) -> None:
    """Each distinct query that the banks' questions are planned as: a fixed sample of them, or all."""
    asked = random.Random(11).sample(_ASKED, counted(20, len(_ASKED)))
    found = {query.model_dump_json(): query for entry in asked if (query := planned(both[0], entry))}
    engines = [compared(both, query) for query in found.values()]
    assert len(engines) >= counted(12, 300)
    assert engines.count("trino") >= 0.8 * len(engines)


def test_sql_is_of_the_dialect_of_trino(both: tuple[Assistant, Assistant]) -> None:
    """Typed SQL runs on Trino at the release's snapshot."""
    text = "SELECT claim_status, count(*) AS n FROM healthcare.claims_clean GROUP BY claim_status ORDER BY claim_status"
    expected, found = (assistant.sql(text, RUN_DATE) for assistant in both)
    assert (found["engine"], found["dialect"], found["rows"]) == ("trino", "trino", expected["rows"])
    assert "FOR VERSION AS OF" in found["sql"]


def test_small_cells_are_masked_alike(built: Lake, on_trino: Settings) -> None:
    """What the business sees of Trino's numbers is what it sees of DuckDB's."""
    query = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}, {"dim": "claim_status"}]})
    seen = []
    for settings in (built.settings, on_trino):
        with opened(settings, "business") as assistant:
            seen.append(assistant.query(query, RUN_DATE))
    assert seen[1]["status"] == seen[0]["status"]
    assert (seen[1]["rows"], seen[1]["suppressed_cells"]) == (seen[0]["rows"], seen[0]["suppressed_cells"])


@pytest.fixture(scope="module")
def down(on_trino: Settings) -> Iterator[Assistant]:
    """An assistant whose Trino is not there, from the start."""
    settings = on_trino.model_copy(update={"query_engine": f"trino://127.0.0.1:{free_ports(1)[0]}"})
    with opened(settings, "analyst") as assistant:
        yield assistant


def test_duckdb_stands_in_and_it_is_said(down: Assistant, both: tuple[Assistant, Assistant]) -> None:
    """The answer is right, names the engine that gave it, and says why."""
    query = TypedQuery.model_validate({"metrics": [{"id": "claim_count"}], "group_by": [{"dim": "payer"}]})
    found = down.query(query, RUN_DATE)
    assert (found["status"], found["engine"], found["dialect"]) == ("answered", "duckdb", "duckdb")
    assert [notice["code"] for notice in found["notices"]].count("engine_fallback") == 1
    assert found["rows"] == both[0].query(query, RUN_DATE)["rows"]


def test_sql_that_somebody_wrote_is_not_run_in_another_dialect(down: Assistant) -> None:
    """The same letters can mean another number."""
    found = down.sql("SELECT 1 / 2 AS half FROM healthcare.providers LIMIT 1", RUN_DATE)
    assert (found["status"], found["reason_code"], found["rows"]) == ("refused", "engine_unavailable", [])


def test_an_assistant_without_its_engine_is_ready_and_says_so(down: Assistant, both: tuple[Assistant, Assistant]) -> None:
    assert "duckdb answers instead of trino" in down.check()
    assert both[1].check() == ""
