"""DuckDB's worker processes: warm, replaced when they end, stopped for good, and never outliving their asker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medflow.errors import UsageError
from rag_backend.engines.base import Cancellation, EngineUnavailable, QueryCancelled, QueryFailed, QueryTimeout
from rag_backend.engines.duckdb import DuckDBEngine, memory_bytes
from tests.engines.conftest import Clerk
from tests.engines.shop import CLERK, OWNER
from tests.support.lake import ROOT

_ENDLESS = "SELECT count(*) FROM shop_gold.numbers a, shop_gold.numbers b, shop_gold.numbers c WHERE (a.n * b.n + c.n) % 7 = 3"
_DEAF = "SELECT max(levenshtein(repeat('ab', 300000), repeat('ba', 300000)))"  # one call of minutes that looks at no interrupt


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far; 0.0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ended(pid: int, seconds: float = 20.0) -> bool:
    """Whether a process ends within this time; one that nobody has waited for yet counts as ended."""
    latest = time.monotonic() + seconds
    while time.monotonic() < latest:
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("sql", [_ENDLESS, _DEAF])
def test_nothing_computes_after_a_time_out(duckdb_clerk, sql):
    """A query that can be interrupted leaves its worker idle; one that cannot leaves it dead."""
    duckdb_clerk.ask("SELECT 1")
    (pid,) = duckdb_clerk.engine.processes()
    with pytest.raises(QueryTimeout):
        duckdb_clerk.ask(sql, seconds=0.5)
    before = cpu_seconds(pid)
    time.sleep(1.0)
    assert cpu_seconds(pid) - before < 0.2
    assert duckdb_clerk.ask("SELECT 1").rows == [(1,)]


def test_a_deaf_query_is_killed_within_half_a_second(duckdb_clerk):
    duckdb_clerk.ask("SELECT 1")
    (pid,) = duckdb_clerk.engine.processes()
    cancel = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(duckdb_clerk.ask, _DEAF, cancel=cancel)
        time.sleep(0.5)
        started = time.monotonic()
        cancel.cancel()
        assert isinstance(asked.exception(30), QueryCancelled)
    assert ended(pid, 0.1)
    assert time.monotonic() - started < 2.0  # 0.25 s where the machine is idle


def test_the_second_query_finds_a_warm_worker(duckdb_clerk):
    duckdb_clerk.ask("SELECT 1")
    first = duckdb_clerk.engine.processes()
    duckdb_clerk.ask("SELECT 2")
    assert duckdb_clerk.engine.processes() == first


def test_a_killed_worker_is_replaced(duckdb_clerk):
    """Killed while idle, nobody notices."""
    duckdb_clerk.ask("SELECT 1")
    (pid,) = duckdb_clerk.engine.processes()
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert duckdb_clerk.ask("SELECT count(*) FROM shop.orders").rows == [(6,)]
    assert duckdb_clerk.engine.processes() != [pid]


def test_a_worker_killed_in_a_query_is_told_and_replaced(duckdb_clerk):
    duckdb_clerk.ask("SELECT 1")
    (pid,) = duckdb_clerk.engine.processes()
    threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(EngineUnavailable, match="ask again"):
        duckdb_clerk.ask(_ENDLESS)
    assert duckdb_clerk.ask("SELECT 5").rows == [(5,)]


def test_the_kernel_ends_a_query_whose_asker_is_frozen(duckdb_clerk):
    """Where nobody watches the clock, the limit of CPU time ends the process."""
    duckdb_clerk.ask("SELECT 1")
    (pid,) = duckdb_clerk.engine.processes()
    soft = next(line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max cpu time")).split()[3]
    assert int(soft) < 1000
    threading.Timer(0.5, os.kill, (pid, signal.SIGXCPU)).start()  # what the kernel sends
    with pytest.raises(QueryTimeout):
        duckdb_clerk.ask(_ENDLESS)


def test_workers_are_few_and_each_reads_for_one_policy(duckdb_clerk):
    """Two at most; the one unused for longest makes room. What the owner may read never answers the clerk."""
    assert duckdb_clerk.ask("SELECT buyer FROM shop.orders WHERE id = 1", policy=OWNER).rows == [("c4n4ry-buyer-0",)]
    for _ in range(2):
        with pytest.raises(QueryFailed):
            duckdb_clerk.ask("SELECT buyer FROM shop.orders WHERE id = 1")
        duckdb_clerk.ask("SELECT entry FROM shop.diary", policy=OWNER)
    with ThreadPoolExecutor(6) as threads:
        policies = [CLERK, OWNER] * 6
        counts = [threads.submit(duckdb_clerk.ask, "SELECT count(*) FROM shop.orders", policy=policy) for policy in policies]
        assert [count.result(120).rows for count in counts] == [[(6,)]] * 12
    assert len(duckdb_clerk.engine.processes()) <= 2


def test_who_waits_for_a_worker_can_cancel_and_runs_out_of_time(duckdb_clerk):
    """Waiting is part of the time limit."""
    cancel, waiting = Cancellation(), Cancellation()
    with ThreadPoolExecutor(4) as threads:
        long = [threads.submit(duckdb_clerk.ask, _ENDLESS, cancel=cancel) for _ in range(2)]
        time.sleep(1.0)
        with pytest.raises(QueryTimeout, match="waited"):
            duckdb_clerk.ask("SELECT 1", seconds=0.2)
        third = threads.submit(duckdb_clerk.ask, "SELECT 1", cancel=waiting)
        waiting.cancel()
        assert isinstance(third.exception(30), QueryCancelled)
        assert not any(query.done() for query in long)
        cancel.cancel()


def test_closing_ends_every_worker(shop):
    """Idle or busy; who asks then or later is told."""
    engine = DuckDBEngine(shop)
    clerk = Clerk(engine)
    clerk.ask("SELECT 1")
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(clerk.ask, _ENDLESS)
        time.sleep(0.5)
        clerk.ask("SELECT 1")
        pids = engine.processes()
        engine.close()
        assert isinstance(asked.exception(30), EngineUnavailable)
    assert len(pids) == 2 and all(ended(pid) for pid in pids)
    with pytest.raises(EngineUnavailable, match="closed"):
        clerk.ask("SELECT 1")


_ASK = """
import sys
from pathlib import Path
from medflow.settings import load_settings
from rag_backend.engines.base import Cancellation, Query
from rag_backend.engines.duckdb import DuckDBEngine
from tests.engines.conftest import Clerk
from tests.engines.shop import CLERK
engine = DuckDBEngine(load_settings(home=Path(sys.argv[1])))
"""


def in_a_process(script: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, on the lake at `home`."""
    return subprocess.run([sys.executable, "-c", script, str(home)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_asking_imports_no_engine_and_no_table_format(shop, duckdb_clerk):
    """The asking process stays light: with a reader file in place, it needs neither DuckDB nor the lake's libraries."""
    duckdb_clerk.ask("SELECT 1")  # the reader file is there now
    script = """
import sys
from dataclasses import dataclass
from pathlib import Path
from medflow.settings import load_settings
from rag_backend.engines.base import Cancellation, Query
from rag_backend.engines.duckdb import DuckDBEngine
@dataclass
class Policy:
    tables: dict
    hash: str
engine = DuckDBEngine(load_settings(home=Path(sys.argv[1])))
policy = Policy(POLICY, HASH)
assert engine.run(Query("SELECT count(*) FROM shop.orders", 1, policy, 10, 60.0), Cancellation()).rows == [(6,)]
assert engine.row_counts(1, policy)["shop.orders"] == 6
engine.close()
print(sorted({name.split(".")[0] for name in sys.modules} & set("duckdb _duckdb pyarrow pandas numpy pyiceberg langgraph chromadb anthropic pyspark".split())))
""".replace("POLICY", repr(dict(CLERK.tables))).replace("HASH", repr(CLERK.hash))
    done = in_a_process(script, shop.home)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_worker_ends_with_its_asker(shop, duckdb_clerk):
    """An asker that is killed in a query leaves nothing that computes."""
    duckdb_clerk.ask("SELECT 1")
    script = _ASK + (
        "import os, signal, threading\n"
        "engine.run(Query('SELECT 1', 1, CLERK, 10, 60.0), Cancellation())\n"
        "print(*engine.processes(), flush=True)\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        f"engine.run(Query({_ENDLESS!r}, 1, CLERK, 10, 600.0), Cancellation())\n"
    )
    done = in_a_process(script, shop.home)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert all(ended(int(pid)) for pid in done.stdout.split()) and done.stdout.split()


@pytest.mark.parametrize(("text", "size"), [("1GB", 10**9), ("512 MiB", 512 << 20), ("1.5gb", 1_500_000_000)])
def test_sizes_of_memory(text, size):
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "10", "-1GB", "1GB; SET x"])
def test_wrong_sizes_are_told(text):
    with pytest.raises(UsageError, match="MEDFLOW_QUERY_MEMORY"):
        memory_bytes(text)


def test_sql_beyond_all_measure_is_refused(duckdb_clerk):
    """No message is longer than a pipe holds, so that asking never blocks."""
    with pytest.raises(QueryFailed, match="longer than"):
        duckdb_clerk.ask(f"SELECT '{'x' * 40_000}'")
