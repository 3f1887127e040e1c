"""Addresses: one spelling for Iceberg, one that every engine opens."""

import subprocess
import sys

import pytest

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse.locations import openable, warehouse_location
from medflow.lakehouse.storage import Storage


def test_a_local_warehouse_is_never_percent_encoded(tmp_path):
    """PyIceberg does not decode `%20`; the address holds the blank itself."""
    folder = tmp_path / "a b ü"
    assert warehouse_location(folder.as_uri() + "/") == f"file://{folder}"
    assert openable(warehouse_location(folder.as_uri())) == str(folder)
    assert warehouse_location(str(folder)) == f"file://{folder}"


def test_a_bucket_stays_as_it_is():
    """S3 addresses pass through both ways."""
    assert openable(warehouse_location("s3://lake/warehouse/")) == "s3://lake/warehouse"


@pytest.mark.parametrize("mark", "#?*[")
def test_characters_that_engines_read_otherwise_are_refused(mark):
    """A folder that would be cut off or globbed is wrong usage, before anything is written to it."""
    with pytest.raises(UsageError, match="MEDFLOW_WAREHOUSE"):
        warehouse_location(f"file:///data/we{mark}ird")


def test_text_is_read_from_both_spellings(tmp_path):
    """A plain path and a file address name the same text."""
    (tmp_path / "m.json").write_text("ä", encoding="utf-8")
    files = Storage()
    assert files.read_text(str(tmp_path / "m.json")) == files.read_text(f"file://{tmp_path}/m.json") == "ä"


def test_what_the_storage_reports_becomes_one_sentence():
    """A full disk and a missing file are CatalogErrors that name the setting."""
    for error, said in ((OSError(28, "No space left"), "disk is full"), (FileNotFoundError(2, "x"), "is gone")):
        with pytest.raises(CatalogError, match=f"{said}.*MEDFLOW_WAREHOUSE"), Storage().warehouse_access("file:///w/f"):
            raise error


def test_an_unchanged_run_loads_no_table_library():
    """Ledger, lock and reader start without PyIceberg, DuckDB or pyarrow."""
    code = (
        "import sys, medflow.lakehouse.ledger, medflow.lakehouse.lock, medflow.lakehouse.releases, medflow.lakehouse.database;"
        "print([n for n in ('pyiceberg', 'duckdb', 'pyarrow', 'fsspec') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
