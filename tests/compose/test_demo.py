"""From nothing to an answer, as a newcomer meets it; then every service restarted once. In the order of the file."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

import pytest

from tests.compose.composition import AIRFLOW, API, PAGE, Composition, ask, reply, until

_QUESTION = "How many claims does each payer have?"
_GIB = 1 << 30
_STARTS_WITHIN = 900.0
_WHOLE_AGAIN_WITHIN = 240.0
_RESTARTED = (
    "redis", "chromadb", "streamlit", "rag-backend", "spark-worker", "spark-master", "airflow-triggerer", "airflow-dag-processor",
    "airflow-scheduler", "airflow-api", "postgres",
)  # fmt: skip


def answered() -> dict[str, Any] | None:
    """The question's answer, where it has one."""
    answer = ask(_QUESTION)
    return answer if answer.get("status") == "answered" else None


def total(answer: dict[str, Any]) -> int:
    return sum(int(row[-1]) for row in answer["rows"])


def runs() -> list[dict[str, Any]]:
    """Runs of the pipeline as Airflow tells them."""
    return list(reply(f"{AIRFLOW}/api/v2/dags/claims_medallion/dagRuns?limit=100", headers=_login())["dag_runs"])


def _login() -> dict[str, str]:
    return {"Authorization": f"Bearer {reply(f'{AIRFLOW}/auth/token')['access_token']}"}


def test_it_comes_up_and_answers(composition: Composition, most_memory: list[int]) -> None:
    """Sample claims land, Airflow sees them and runs the pipeline on the cluster, the assistant answers about the release."""
    until("an answer", answered, _STARTS_WITHIN, lambda: composition.last_words("airflow-scheduler"))
    print(f"cold start to the first answer: {time.monotonic() - composition.began:.0f} s")
    answer = answered()
    assert answer and answer["release"]["number"] == 1
    assert 1500 < total(answer) <= 2100
    assert until("a successful run", lambda: any(run["state"] == "success" for run in runs()), 120)
    with urllib.request.urlopen(f"{PAGE}/_stcore/health", timeout=10) as page:
        assert page.read() == b"ok"
    assert most_memory and max(most_memory) <= 8 * _GIB
    print(f"most memory: {max(most_memory) / _GIB:.2f} GiB")


def test_no_process_is_root(composition: Composition) -> None:
    """Also of those images whose account the compose file does not name."""
    for name, container in composition.containers().items():
        assert container["Config"]["User"] not in ("", "root", "0"), name


def test_the_pipeline_tells_what_it_did() -> None:
    """The page's other half: one release of one batch, every file accounted for."""
    assert reply(f"{API}/pipeline/releases")["total"] == 1
    files = reply(f"{API}/pipeline/files")
    assert files["states"] == {"published": files["total"]} and files["total"] >= 3


def test_a_second_run_changes_nothing(composition: Composition) -> None:
    before = ask(_QUESTION)["rows"]
    told = composition.medflow("run", "--date", "2026-07-01")
    assert "nothing changed" in told
    assert ask(_QUESTION)["rows"] == before


@pytest.mark.parametrize("service", _RESTARTED)
def test_a_restart_heals_by_itself(composition: Composition, service: str) -> None:
    """The same rows are answered again, and Airflow still runs the pipeline, without a person."""
    before = ask(_QUESTION)["rows"]
    composition.run("restart", "--timeout", "20", service)
    took = until(
        "the same answer", lambda: ask(_QUESTION).get("rows") == before, _WHOLE_AGAIN_WITHIN, lambda: composition.last_words(service)
    )
    healthy = until("Airflow", _airflow_is_healthy, _WHOLE_AGAIN_WITHIN, lambda: composition.last_words("airflow-api"))
    print(f"{service}: answers after {took:.0f} s, Airflow healthy after {took + healthy:.0f} s")


def test_a_restarted_localstack_is_told_and_two_commands_rebuild(composition: Composition) -> None:
    """It forgets its objects: the lake is refused, by name; landing files come back with `up`, the release with `run --recover`."""
    before = ask(_QUESTION)["rows"]
    composition.run("restart", "--timeout", "20", "localstack")
    until("LocalStack", lambda: composition.containers()["localstack"]["State"]["Health"]["Status"] == "healthy", _WHOLE_AGAIN_WITHIN)
    with pytest.raises(AssertionError, match="run --recover"):
        composition.medflow("verify")
    composition.run("up", "-d", "--no-build")
    until("landing files", lambda: _ended_well(composition, "landing"), _WHOLE_AGAIN_WITHIN, lambda: composition.last_words("landing"))
    composition.medflow("run", "--recover")
    until(
        "an answer of the new release", lambda: _of_release(2, before), _WHOLE_AGAIN_WITHIN, lambda: composition.last_words("rag-backend")
    )


def test_trino_answers_alike(composition: Composition) -> None:
    """The profile `full`: the same rows, from Trino."""
    before = ask(_QUESTION)["rows"]
    trino = Composition(composition.folder, {**composition.environment, "MEDFLOW_QUERY_ENGINE": "trino://trino:8081"})
    trino.run("--profile", "full", "up", "-d", "--no-build")
    until("Trino's answer", lambda: _by("trino", before), 300, lambda: composition.last_words("trino"))


def _by(engine: str, rows: list[Any]) -> bool:
    answer = ask(_QUESTION)
    return reply(f"{API}/ready").get("engine") == engine and answer.get("rows") == rows


def _ended_well(composition: Composition, service: str) -> bool:
    state = composition.containers()[service]["State"]
    return state["Status"] == "exited" and state["ExitCode"] == 0


def _of_release(number: int, rows: list[Any]) -> bool:
    answer = ask(_QUESTION)
    return answer.get("status") == "answered" and answer["release"]["number"] == number and answer["rows"] == rows


def _airflow_is_healthy() -> bool:
    told = reply(f"{AIRFLOW}/api/v2/monitor/health")
    parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    return all(told[part]["status"] == "healthy" for part in parts)
