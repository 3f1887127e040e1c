"""Gold: each declared query over claims_clean, for the partitions that the batch's claims had before or have now."""

from __future__ import annotations

from datetime import date

from medflow.specs.gold import GoldTable
from medflow.sql.text import in_list
from spark_jobs.months import month_partitions
from spark_jobs.reference import load_code_lists
from spark_jobs.run import CLEAN, Run, Touched


def build_gold(run: Run) -> None:
    """Rebuild the touched partitions of every gold table; all of them where its declaration changed since the release."""
    load_code_lists(run.engine, run.knowledge_base)
    for name, table in run.knowledge_base.gold.items():
        if name in run.batch.rebuild or name in run.due_gold:
            build_table(run, table, whole_table())
        elif run.batch.kind in ("load", "recovery", "replay"):
            build_table(run, table, run.touched)
        run.report(f"gold {table.spec.short_name}")


def build_table(run: Run, table: GoldTable, touched: Touched) -> None:
    """One gold table's touched partitions."""
    name = table.spec.name
    partitions, condition, months = _scope(table, touched)
    if partitions is not None and not partitions:
        return
    run.load("clean_rows", CLEAN, "branch", months)
    run.engine.define("claims_clean", f"SELECT * FROM clean_rows WHERE {condition}", keep=False)
    run.writer.replace(name, run.write(name, table.query), partitions)
    run.rows[name] = sum(file.records for file in run.writer.files(name, "branch", partitions))


def whole_table() -> Touched:
    """Everything is touched."""
    touched = Touched()
    touched.all()
    return touched


def _scope(table: GoldTable, touched: Touched) -> tuple[set[tuple[object, ...]] | None, str, set[tuple[object, ...]] | None]:
    """Gold partitions to replace, the rows of claims_clean they are made of, and the partitions of claims_clean to read."""
    if table.touched_by == "claim_service_date":
        months = touched.service_months
        return (None, "TRUE", None) if months is None else (month_partitions(months), "TRUE", month_partitions(months))
    if table.touched_by == "received_date":
        received = touched.received_months
        return (None, "TRUE", None) if received is None else (month_partitions(received), _in_months("received_date", received), None)
    years = touched.service_years
    if years is None:
        return None, "TRUE", None
    of_years = {date(year, month, 1) for year in years for month in range(1, 13)}
    return {(year,) for year in years}, "TRUE", month_partitions(of_years)


def _in_months(column: str, months: set[date]) -> str:
    return in_list(f"CAST(DATE_TRUNC('MONTH', {column}) AS DATE)", months)
