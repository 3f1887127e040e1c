"""Two runs on one lake: one works, the other says so; a run that was stopped and taken over cannot publish."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger_tables import LOCK
from tests.support.claims import WRITERS, Version
from tests.support.lake import Lake
from tests.support.stopped import continued, stopped_at

_RUN = ("run", "--json", "--date", "2026-07-01")
_PATIENCE_S = 60


@pytest.fixture
def waiting(lake: Lake) -> Lake:
    """A lake with a file of each payer waiting."""
    for payer, writer in WRITERS.items():
        lake.put(payer, "1.csv", writer([Version(claim=f"C{n}") for n in range(20)]))
    return lake


def silent_for_two_minutes(lake: Lake) -> None:
    """Set the lock's last sign of life back, as if that much time had gone by."""
    engine = connect(lake.settings.catalog)
    with engine.connect() as connection:
        beat = connection.execute(select(LOCK.c.heartbeat)).scalar_one()
    with writing(engine) as connection:
        connection.execute(update(LOCK).values(heartbeat=beat - timedelta(minutes=2)))


@pytest.mark.parametrize("point", ["before step silver#1", "before step gold#1", "before landing release#1"])
def test_a_stopped_run_that_was_taken_over_cannot_publish(waiting: Lake, point: str) -> None:
    """The new run publishes; the old one, continued, is told that it was taken over, and changes nothing."""
    old = stopped_at(point, waiting.environment(), *_RUN)
    refused = waiting.command(*_RUN)
    assert refused.returncode == 1
    assert "holds the lake" in refused.stderr
    silent_for_two_minutes(waiting)
    new = waiting.command(*_RUN)
    assert new.returncode == 0, new.stderr
    assert json.loads(new.stdout)["release"] == 1
    before = waiting.content()
    code, told = continued(old)
    assert code == 1
    assert "taken over" in told or "took over" in told
    assert [entry.release for entry in waiting.site().ledger.releases()] == [1]
    assert waiting.content() == before
    assert waiting.run().release is None


def test_the_second_run_may_wait(waiting: Lake) -> None:
    """With --wait it goes on when the first has ended, and finds nothing left to do."""
    first = stopped_at("before step gold#1", waiting.environment(), *_RUN)
    second = subprocess.Popen(
        [sys.executable, "-m", "medflow", *_RUN, "--wait", "60"], env=waiting.environment(), stdout=subprocess.PIPE, text=True
    )
    time.sleep(3)
    assert second.poll() is None
    assert continued(first)[0] == 0
    answer, _ = second.communicate(timeout=_PATIENCE_S)
    assert (second.returncode, json.loads(answer)["release"]) == (0, None)
    assert waiting.release().number == 1
