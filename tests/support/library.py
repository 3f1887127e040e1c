"""The lake of a library that lends books: seeded rows, published as a release is, without a pipeline."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import insert

from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger_tables import RELEASES, create_ledger
from medflow.lakehouse.releases import DataFileInfo, Release, ReleasedColumn, ReleasedTable
from medflow.settings import Settings, load_settings
from medflow.specs.table import TableSpec
from medflow.specs.tables import load_tables
from tests.support.lake import ROOT

KNOWLEDGE_BASE = ROOT / "tests/data/library"
FIRST, LAST = date(2024, 1, 1), date(2026, 6, 30)
_TOWNS = {"north": "Northfield", "harbor": "Seaport", "old_town": "Seaport", "university": "Northfield", "hillside": "Hilton"}
_FORMATS = ("hardcover", "paperback", "paperback", "audiobook", "large_print")
_GENRES = ("crime", "poetry", "travel", "biography", "romance", "fantasy", "cookbook")
_AUTHORS = ("Ada Quill", "Bruno Marsh", "Celia Thorn", "Dario Finch", "Edda Vale", "Fergus Lorne", "Greta Holm", "Hugo Pell")
_NOUNS = ("Lantern", "Orchard", "Compass", "Winter", "River", "Mirror", "Garden", "Station", "Letter", "Harvest")
_ADJECTIVES = ("Silent", "Broken", "Golden", "Hidden", "Last", "Paper", "Northern", "Quiet", "Empty", "Second")
_ARROW = {"string": pa.string(), "int": pa.int32(), "date": pa.date32(), "decimal(8,2)": pa.decimal128(8, 2)}


def published(home: Path, loans: int = 6_000, seed: int = 7) -> Settings:
    """Release 1 of the library below `home`."""
    settings = load_settings(home=home, knowledge_base=KNOWLEDGE_BASE, memory="512MB", threads=2)
    specs = load_tables(KNOWLEDGE_BASE)
    rows = _rows(random.Random(seed), loans)
    tables = {name: _table(home, specs[name], listed) for name, listed in rows.items()}
    made = datetime(2026, 7, 1, tzinfo=UTC)
    release = Release(1, None, None, "b1", "load", made.date(), made, "declared", {}, tables)
    manifest = home / "release-1.json"
    manifest.write_text(release.to_json(), encoding="utf-8")
    engine = connect(settings.catalog)
    create_ledger(engine)
    row = {"release": 1, "batch_id": "b1", "kind": "load", "run_date": made.date(), "created_at": made, "declarations": "declared"}
    with writing(engine) as connection:
        connection.execute(insert(RELEASES).values(manifest=str(manifest), **row))
    engine.dispose()
    return settings


def _rows(chance: random.Random, loans: int) -> dict[str, list[dict[str, Any]]]:
    books = [_book(chance, number) for number in range(100)]
    readers = [_reader(chance, number) for number in range(400)]
    lent: list[dict[str, Any]] = []
    numbers = dict.fromkeys(_TOWNS, 0)
    while len(lent) < loans:
        branch = chance.choices(list(_TOWNS), (30, 25, 20, 15, 10))[0]
        numbers[branch] += 1
        day = FIRST + timedelta(days=chance.randrange((LAST - FIRST).days + 1))
        reader = chance.choice(readers)
        for position in range(1, min(chance.choice((1, 1, 2, 3)), loans - len(lent)) + 1):
            lent.append(
                {"branch_id": branch, "checkout_no": f"{numbers[branch]:05d}", "position": position, **reader, **_loan(chance, books, day)}
            )
    known = [{name: book[name] for name in ("isbn", "title", "author", "language", "genre")} for book in books[:-2]]
    return {"library.loans": lent, "library.books": known, "library.branches": [{"branch_id": b, "town": t} for b, t in _TOWNS.items()]}


def _book(chance: random.Random, number: int) -> dict[str, Any]:
    title = f"The {_ADJECTIVES[number // 10]} {_NOUNS[number % 10]}"
    language = chance.choices(("en", "fr", "de"), (6, 2, 1))[0]
    shelf = f"{chance.randrange(100, 1000)}{chance.choice('abc')}"
    genre, author = chance.choice(_GENRES), chance.choice(_AUTHORS)
    return {"isbn": f"978{number:010d}", "title": title, "author": author, "language": language, "genre": genre, "call_number": shelf}


def _reader(chance: random.Random, number: int) -> dict[str, Any]:
    group, youngest, oldest = chance.choices((("child", 6, 14), ("student", 15, 25), ("adult", 26, 64), ("senior", 65, 90)), (2, 2, 4, 2))[
        0
    ]
    key = hashlib.sha256(f"reader {number}".encode()).hexdigest()[:32]
    return {"reader_no": f"R{number:05d}", "reader_key": key, "birth_year": 2025 - chance.randint(youngest, oldest), "reader_group": group}


def _loan(chance: random.Random, books: list[dict[str, Any]], day: date) -> dict[str, Any]:
    """One loan: when it was due, when it came back, and what was charged."""
    book, renewals = chance.choice(books), chance.choice((0, 0, 0, 1, 2))
    due = day + timedelta(days=28 + 14 * renewals)
    back = day + timedelta(days=min(3 + int(chance.expovariate(1 / 24)), 150))
    status = "lost" if chance.random() < 0.02 else "returned" if back <= LAST else "out"
    late = (back - due).days if status == "returned" and back > due else 0
    reason, fine = ("3", Decimal("20.00")) if status == "lost" else ("1", Decimal("0.25") * late) if late else (None, Decimal("0.00"))
    if reason is None and status == "returned" and chance.random() < 0.01:
        reason, fine = "2", Decimal("7.50")
    paid = fine if chance.random() < 0.7 else Decimal("0.00")
    return {
        "isbn": book["isbn"],
        "call_number": book["call_number"],
        "format": chance.choice(_FORMATS),
        "status": status,
        "loan_date": day,
        "due_date": due,
        "return_date": back if status == "returned" else None,
        "renewals": renewals,
        "fine_reason": reason,
        "fine_amount": fine,
        "fine_paid_amount": paid,
    }


def _table(home: Path, spec: TableSpec, rows: list[dict[str, Any]]) -> ReleasedTable:
    schema = pa.schema([(column.name, _ARROW[column.type]) for column in spec.columns])
    path = home / "data" / f"{spec.short_name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    file = DataFileInfo(str(path), {}, len(rows), path.stat().st_size)
    return ReleasedTable(1, "", tuple(ReleasedColumn(n, c.name, c.type) for n, c in enumerate(spec.columns, 1)), (file,))
