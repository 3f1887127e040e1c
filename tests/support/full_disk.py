"""The real command with a disk that is full when the first data file of a table is written."""

from __future__ import annotations

from typing import Any

from spark_jobs.engines.duckdb import DuckDBEngine


def main(arguments: list[str]) -> None:
    """Run the command; every COPY goes to /dev/full, which answers as a full disk does."""
    write = DuckDBEngine.write

    def on_full_disk(self: DuckDBEngine, sql: str, *rest: Any) -> list[str]:
        self._run("COPY (SELECT range AS i FROM range(1000000)) TO '/dev/full' (FORMAT csv)")
        return write(self, sql, *rest)

    DuckDBEngine.write = on_full_disk  # type: ignore[method-assign]
    from medflow.cli import main as medflow

    medflow(arguments)
