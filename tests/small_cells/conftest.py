"""One published lake for the suite: the role that sees no small cells asks it, and a person's SQL reads all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from rag_backend.agents.turn import Services
from rag_backend.assistant import opened
from tests.small_cells.by_hand import Lines, lines_of
from tests.support.lake import Lake

CLAIMS = 3_000


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """3,000 claims, one release; not to be changed."""
    lake = Lake(tmp_path_factory.mktemp("cells") / "lake")
    lake.generate(CLAIMS)
    lake.run()
    return lake


@pytest.fixture(scope="session")
def everything(lake: Lake) -> Iterator[Any]:
    """All tables of the release, as files, under no policy."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in lake.release().tables.items():
            if table.files:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.split('.')[0]}")
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet($1, union_by_name = true)", [table.files])
        yield connection


@pytest.fixture(scope="session")
def lines(everything: Any) -> Lines:
    return lines_of(everything)


@pytest.fixture(scope="session")
def business(lake: Lake) -> Iterator[Services]:
    with opened(lake.settings, "business") as assistant:
        yield assistant.services
