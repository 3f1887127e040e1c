"""Airflow: API server, scheduler, DAG processor and triggerer, each a process of its own, over our `dags/`; metadata in Postgres.

`Airflow` speaks to it as an operator does, by REST API v2: trigger, wait, clear, read logs.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from psycopg2.errors import DuplicateDatabase

from tests.services.postgres import Postgres
from tests.services.server import NotReady, Server, answers, free_ports

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"
_USER = "admin"
_PARTS = ("scheduler", "dag-processor", "triggerer")
_ENDED = ("success", "failed")
_STARTS_WITHIN = 300.0  # four processes import Airflow at once


@dataclass
class Airflow:
    """A running Airflow; `parts` are its processes by name."""

    parts: Mapping[str, Server]
    port: int
    password: str
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=180)
        said = self.client.post("/auth/token", json={"username": _USER, "password": self.password})
        said.raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {said.json()['access_token']}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, **given: Any) -> Any:
        """What the API answers. Raises AssertionError: it refuses, with its reason."""
        said = self.client.request(method, f"/api/v2/{path}", **given)
        assert said.status_code < 400, f"{method} {path}: {said.status_code} {said.text[:500]}"
        return said.json() if said.content else None

    def dags(self) -> dict[str, Any]:
        """The DAGs that the DAG processor has read, by id."""
        return {dag["dag_id"]: dag for dag in self.call("GET", "dags", params={"limit": 100})["dags"]}

    def pause(self, dag: str, paused: bool = True) -> None:
        self.call("PATCH", f"dags/{dag}", json={"is_paused": paused})

    def trigger(self, dag: str, logical_date: str | None = None, **params: Any) -> str:
        """Start a run; its id."""
        return self.call("POST", f"dags/{dag}/dagRuns", json={"logical_date": logical_date, "conf": params})["dag_run_id"]

    def wait(self, dag: str, run: str, within: float = 600.0) -> str:
        """The state in which a run ends. Raises AssertionError: it does not end; where its tasks stand."""
        latest = time.monotonic() + within
        while (state := self.call("GET", f"dags/{dag}/dagRuns/{run}")["state"]) not in _ENDED:
            assert time.monotonic() < latest, f"{run} of {dag} is {state}: {self.states(dag, run)}"
            time.sleep(0.3)
        return state

    def runs(self, dag: str) -> list[dict[str, Any]]:
        return self.call("GET", f"dags/{dag}/dagRuns", params={"limit": 100})["dag_runs"]

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Every task instance of a run, mapped ones each."""
        return self.call("GET", f"dags/{dag}/dagRuns/{run}/taskInstances", params={"limit": 100})["task_instances"]

    def states(self, dag: str, run: str) -> dict[str, str]:
        """Task -> its state; of a mapped task `name[index]`."""
        return {_shown(task): task["state"] for task in self.tasks(dag, run)}

    def tries(self, dag: str, run: str) -> dict[str, int]:
        return {_shown(task): task["try_number"] for task in self.tasks(dag, run)}

    def xcom(self, dag: str, run: str, task: str, index: int = -1) -> Any:
        """What a task returned."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        return self.call("GET", path, params={"map_index": index, "deserialize": "true"})["value"]

    def log(self, dag: str, run: str, task: str, attempt: int = 1, index: int = -1) -> str:
        """The log of one attempt as one text."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}"
        said = self.call("GET", path, params={"map_index": index, "full_content": "true"}, headers={"Accept": "application/json"})
        return "\n".join(_line(one) for one in said["content"])

    def clear(self, dag: str, run: str, tasks: Sequence[str], downstream: bool = True) -> None:
        """Have tasks of a run done once more."""
        wanted = {"dag_run_id": run, "task_ids": list(tasks), "include_downstream": downstream, "dry_run": False, "only_failed": False}
        self.call("POST", f"dags/{dag}/clearTaskInstances", json={**wanted, "reset_dag_runs": True})


@contextmanager
def airflow(
    folder: Path, metadata: Postgres, settings: Mapping[str, str], port: int | None = None, *, name: str = "airflow"
) -> Iterator[Airflow]:
    """Airflow with the metadata database `name`, its home below `folder`; its tasks run with `settings` (MEDFLOW_ names)."""
    ports = free_ports(3)
    port, home, password = port or ports[0], folder / name, secrets.token_hex(8)
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    passwords.write_text(f'{{"{_USER}": "{password}"}}', encoding="utf-8")
    passwords.chmod(0o600)
    environment = {**_configuration(home, port, ports[1:], metadata.url(name)), **settings, "AIRFLOW_HOME": str(home)}
    environment |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with suppress(DuplicateDatabase):
        metadata.make_database(name)
    _migrate(environment)
    health = f"http://127.0.0.1:{port}/api/v2/monitor/health"
    with ExitStack() as stack:
        ready = {"api-server": answers(health), **{name: _beats(health, name) for name in _PARTS}}
        parts = {
            name: Server(f"airflow-{name}", _command(name), home, asked, environment, starts_within=_STARTS_WITHIN)
            for name, asked in ready.items()
        }
        for server in parts.values():
            stack.callback(server.stop)
            server.start()
        for server in parts.values():
            server.wait()
        found = Airflow(parts, port, password)
        stack.callback(found.client.close)
        yield found


def _command(part: str) -> list[str]:
    return [str(Path(sys.executable).with_name("airflow")), part]


def _configuration(home: Path, port: int, logs: Sequence[int], database: str) -> dict[str, str]:
    """Everything that is not Airflow's default. Looked at often: a test waits for nothing that could be seen earlier."""
    url = database.removeprefix("postgresql")
    return {
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2{url}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg{url}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(logs[1]),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # a busy machine is no failed task
        "AIRFLOW__MEDFLOW__LOOK_EVERY_SECONDS": "4",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def _migrate(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [*_command("db"), "migrate"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"airflow db migrate failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}"


def _beats(health: str, part: str) -> Callable[[], None]:
    """Whether a part has given a sign of life to the API server."""
    name = part.replace("-", "_")

    def ready() -> None:
        try:
            said = httpx.get(health, timeout=5).json()
        except (httpx.HTTPError, ValueError) as error:
            raise NotReady(str(error)) from None
        if said[name]["status"] != "healthy":
            raise NotReady(f"{name} is {said[name]['status']}")

    return ready


def _shown(task: Mapping[str, Any]) -> str:
    return task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]"


def _line(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    told = [str(entry.get("event", ""))]
    told += [str(part.get("exc_value", "")) for part in entry.get("error_detail") or []]
    return " ".join(told)
