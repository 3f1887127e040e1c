"""What is carried from job to job comes back as it was: a batch under way through JSON, a finished job through the catalog."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from medflow.lakehouse.batch_steps import BatchSteps, FinishedJob
from spark_jobs.carried import Carried, Origin
from spark_jobs.landing import Landing
from spark_jobs.run import Batch, BatchFile, PayerFigures, QualityRow, Touched
from tests.support.lake import Lake, order

_TEXT = st.text(max_size=12)
_COUNT = st.integers(-(2**62), 2**62)
_RATE = st.floats(allow_nan=False, allow_infinity=False)
_MONTHS = st.none() | st.sets(st.dates(), max_size=4)
_LANDING = Landing.local(Path("/landing"))
_FILES = st.builds(BatchFile, _TEXT, _TEXT, _TEXT, st.just(""), st.dates(), _COUNT, _COUNT, _COUNT).map(
    lambda file: replace(file, path=_LANDING.at(file.name))
)
_BATCHES = st.builds(
    Batch,
    _TEXT,
    st.sampled_from(["load", "replay", "rebuild"]),
    st.lists(_FILES, max_size=3).map(tuple),
    st.lists(_TEXT, max_size=2).map(tuple),
    st.lists(st.tuples(_TEXT, _TEXT), max_size=2).map(tuple),
)
_FIGURES = st.builds(PayerFigures, _COUNT, _COUNT, _COUNT, st.none() | _RATE, st.dictionaries(_TEXT, _COUNT), st.none() | _TEXT)
_QUALITY = st.builds(
    QualityRow,
    _TEXT,
    st.sampled_from(["bronze", "silver", "gate", "gold"]),
    _TEXT,
    st.sampled_from(["warn", "error"]),
    _COUNT,
    _COUNT,
    st.none() | _RATE,
    st.sampled_from(["pass", "warn", "refuse"]),
)
_CARRIED = st.builds(
    Carried,
    origin=st.builds(Origin, st.none() | _COUNT, st.dictionaries(_TEXT, _COUNT, max_size=3)),
    declarations=_TEXT,
    batch=_BATCHES,
    run_date=st.dates(),
    started_at=st.datetimes(timezones=st.just(UTC)),
    built_with=_TEXT,
    due_gold=st.lists(_TEXT, max_size=2).map(tuple),
    fingerprints=st.dictionaries(_TEXT, _TEXT, max_size=3),
    touched=st.builds(Touched, _MONTHS, _MONTHS),
    figures=st.dictionaries(_TEXT, _FIGURES, max_size=3),
    quality=st.lists(_QUALITY, max_size=3),
    rows=st.dictionaries(_TEXT, _COUNT, max_size=3),
)


@given(_CARRIED)
def test_what_is_carried_comes_back_whole(carried: Carried) -> None:
    """Dates, sets, None and large numbers survive JSON; files are found in the landing folder of the job that reads it."""
    text = json.dumps(carried.to_json())
    assert "/landing" not in text
    assert Carried.from_json(json.loads(text), _LANDING) == carried


def test_a_finished_job_comes_back_as_it_was_recorded(lake: Lake) -> None:
    """Snapshot ids of 63 bits, nested content and the instant."""
    site = lake.site()
    kept = BatchSteps(site.database)
    at = datetime(2026, 7, 1, 6, 30, 15, 123456, tzinfo=UTC)
    first = FinishedJob("b1", "bronze", {"t": 2**62 + 1}, {"a": [None, 1.5, {"b": "é"}]}, at)
    second = replace(first, job="silver", finished_at=at + timedelta(hours=1))
    with site.lock(order()) as lock:
        lock.acquire("b1")
        kept.record(lock, first)
        kept.record(lock, second)
        assert kept.finished("b1") == {"bronze": first, "silver": second}
        kept.forget(lock, "b1", ["silver", "gold"])
        assert kept.finished("b1") == {"bronze": first}
        kept.begin(lock)
    assert (kept.finished("b1"), kept.batch_under_way()) == ({}, None)
