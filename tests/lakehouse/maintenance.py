"""Releases of one day after another, maintenance long after them, and what is there before and after it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from medflow.lakehouse.ledger import new_batch
from spark_jobs.orphans import sweep
from spark_jobs.retention import retire
from tests.lakehouse.small_lake import BY_MONTH, BY_PAYER, DAY, PLAIN, markers, row

LATER = datetime.now(UTC) + timedelta(days=2)
MUCH_LATER = DAY + timedelta(days=400)


def day(number):
    return DAY + timedelta(days=number - 1)


def load(small, number):
    """Release `number` of its own day: one table grows, one is replaced whole, of one the current month is."""
    writer = small.begin(f"b{number}", number)
    small.ledger.start_batch(new_batch(f"b{number}", "load", day(number), "declared"))
    writer.append(BY_PAYER.name, [small.write(writer, BY_PAYER.name, [row(number)])])
    writer.replace(PLAIN.name, [small.write(writer, PLAIN.name, [row(number)])], None)
    writer.replace(BY_MONTH.name, [small.write(writer, BY_MONTH.name, [row(number, day=day(number))])], [(day(number),)])
    return small.publish(replace(small.publication(writer, f"b{number}", number), run_date=day(number)))


def loads(small, count):
    for number in range(1, count + 1):
        assert load(small, number) == number


def retired(small, on=MUCH_LATER):
    return retire(small.lake, small.ledger, small.lock, on)


def swept(small, now=LATER):
    return sweep(small.lake, small.ledger, small.lock, now)


def files(small):
    return {str(path) for path in (small.home / "warehouse").rglob("*") if path.is_file()}


def contents(small, numbers):
    """Every release as DuckDB reads it from its manifest's files, and as PyIceberg reads it by its tag."""
    found = {}
    for number in numbers:
        release = small.release(number)
        tables = {name: small.lake.table(name) for name in release.tables}
        found[number] = {
            name: (
                markers(table.files),
                sorted(
                    tables[name].scan(snapshot_id=tables[name].refs()[f"release_{number}"].snapshot_id).to_arrow()["marker"].to_pylist()
                ),
            )
            for name, table in release.tables.items()
        }
    return found
