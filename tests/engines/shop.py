"""A small lake of another trade than the product's: three tables, one of them and two columns closed to the policy `CLERK`.

Made as a release is: Parquet files, a manifest and a row of the ledger, without a pipeline.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import insert

from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger_tables import RELEASES, create_ledger
from medflow.lakehouse.releases import DataFileInfo, Release, ReleasedColumn, ReleasedTable
from medflow.settings import Settings, load_settings

CANARY = "c4n4ry"  # stands in everything that nobody may see
HIDDEN = [f"{CANARY}-buyer-{number}" for number in range(6)]
NOTES = ["plain", "Ünïcode ✓ 日本 🐟", "quote ' \" \\ line\nbreak\ttab\x00nul", "", None, "NULL"]
MANY = 5_000


@dataclass(frozen=True)
class Policy:
    """Grants of a role, and the hash that names them."""

    tables: Mapping[str, tuple[str, ...]]
    role: str = "clerk"

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(sorted(self.tables.items())).encode()).hexdigest()[:32]


ORDERS = {
    "id": "int",
    "amount": "decimal(12,2)",
    "weight": "decimal(38,10)",
    "rate": "double",
    "day": "date",
    "seen": "timestamp",
    "open": "boolean",
    "units": "bigint",
    "tags": "array<string>",
    "note": "string",
    "extra": "map<string,string>",
    "faults": "array<struct<rule:string,at:int>>",
    "buyer": "string",
    "birth": "int",
}
CLERK = Policy({"shop.orders": tuple(name for name in ORDERS if name not in ("buyer", "birth")), "shop_gold.numbers": ("n", "word")})
OWNER = Policy({"shop.orders": tuple(ORDERS), "shop_gold.numbers": ("n", "word"), "shop.diary": ("entry",)}, "owner")
COLUMNS = {"shop.orders": list(ORDERS), "shop_gold.numbers": ["n", "word"], "shop.diary": ["entry"], "shop.empty": ["nothing"]}


def order_rows() -> dict[str, list]:
    """The rows of shop.orders, by column: exact scales, nulls, empty lists, unicode, instants."""
    return {
        "id": [1, 2, 3, 4, 5, 6],
        "amount": [Decimal("10.10"), Decimal("-0.01"), Decimal("9999999999.99"), Decimal("0.00"), None, Decimal("3.50")],
        "weight": [
            Decimal("1.0000000001"),
            None,
            Decimal("1234567890123456789012345678.0123456789"),
            Decimal(0).scaleb(-10),
            None,
            Decimal("2.5000000000"),
        ],
        "rate": [0.1, 1e300, -5e-324, 0.30000000000000004, None, 2.0],
        "day": [date(2024, 2, 29), date(1970, 1, 1), date(1899, 12, 31), date(9999, 12, 30), None, date(2026, 7, 1)],
        "seen": [datetime(2026, 7, 1, 6, 0, 0, 123456, UTC), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), None, None, None, None],
        "open": [True, False, None, True, False, True],
        "units": [2**62, -(2**62), 0, None, 1, 2],
        "tags": [["a", "b"], [], None, ["ü", None], ["NULL"], ["x"]],
        "note": NOTES,
        "extra": [[("k", "v"), ("e", None)], [], None, [("ü", "✓")], [], []],
        "faults": [[{"rule": "r1", "at": 3}], [], None, [{"rule": None, "at": None}], [], []],
        "buyer": HIDDEN,
        "birth": [1900 + number for number in range(6)],
    }


_ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "decimal(12,2)": pa.decimal128(12, 2),
    "decimal(38,10)": pa.decimal128(38, 10),
    "array<string>": pa.list_(pa.string()),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
    "array<struct<rule:string,at:int>>": pa.list_(pa.struct([("rule", pa.string()), ("at", pa.int32())])),
}


def publish(home: Path, number: int = 1, many: int = MANY, made: datetime = datetime(2026, 7, 1, tzinfo=UTC)) -> Settings:
    """Release `number` of the shop below `home`; `many` rows of numbers tell releases apart."""
    settings = load_settings(home=home, memory="512MB", threads=2)
    tables = {name: _table(home, types, rows) for name, (types, rows) in contents(many).items()}
    publish_release(settings, Release(number, None, None, f"b{number}", "load", made.date(), made, "d", {}, tables))
    return settings


def contents(many: int = MANY) -> dict[str, tuple[Mapping[str, str], Mapping[str, list]]]:
    """Every table of the shop: its types, and its rows by column."""
    numbers = {"n": list(range(many)), "word": [f"word {n % 7}" for n in range(many)]}
    return {
        "shop.orders": (ORDERS, order_rows()),
        "shop_gold.numbers": ({"n": "bigint", "word": "string"}, numbers),
        "shop.diary": ({"entry": "string"}, {"entry": [f"{CANARY}-diary"]}),
        "shop.empty": ({"nothing": "string"}, {"nothing": []}),
    }


def publish_release(settings: Settings, release: Release) -> None:
    """Put a release's manifest in HOME and its row in the ledger."""
    number, made = release.number, release.created_at
    manifest = settings.home / f"release-{number}.json"
    manifest.write_text(release.to_json(), encoding="utf-8")
    engine = connect(settings.catalog)
    create_ledger(engine)
    row = {"release": number, "batch_id": f"b{number}", "kind": "load", "run_date": made.date(), "created_at": made, "declarations": "d"}
    with writing(engine) as connection:
        connection.execute(insert(RELEASES).values(manifest=str(manifest), **row))
    engine.dispose()


def _table(home: Path, types: Mapping[str, str], columns: Mapping[str, list]) -> ReleasedTable:
    """Two files, so that a table is more than one."""
    whole = arrow_table(types, columns)
    half = (whole.num_rows + 1) // 2
    listed = [_file(home, part) for part in (whole.slice(0, half), whole.slice(half)) if part.num_rows]
    return ReleasedTable(1, "", tuple(ReleasedColumn(n, *column) for n, column in enumerate(types.items(), 1)), tuple(listed))


def arrow_table(types: Mapping[str, str], columns: Mapping[str, list]) -> pa.Table:
    """The rows, typed."""
    return pa.table({name: pa.array(columns[name], _ARROW[kind]) for name, kind in types.items()})


def _file(home: Path, rows: pa.Table) -> DataFileInfo:
    path = home / "data" / f"{uuid.uuid4().hex}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(rows, path)
    return DataFileInfo(str(path), {}, rows.num_rows, path.stat().st_size)
