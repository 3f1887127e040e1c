"""Reading releases: one SELECT and one manifest."""

import pytest

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import read_release
from tests.lakehouse.small_lake import SmallLake


def test_before_the_first_release_the_reader_is_told_to_run(small, tmp_path):
    """With a ledger and without one."""
    for engine in (small.lake.engine, connect(f"sqlite:///{tmp_path / 'none.db'}")):
        with pytest.raises(CatalogError, match="medflow run"):
            read_release(engine)
    with pytest.raises(UsageError, match="there is no release 4"):
        read_release(small.lake.engine, 4)


def test_a_damaged_manifest_is_told(small):
    """Gone or cut off: which file, and what to do."""
    small.load(1)
    (manifest,) = (small.home / "warehouse" / "_releases").iterdir()
    manifest.write_text(manifest.read_text()[:100])
    with pytest.raises(CatalogError, match=r"_releases/1-1.json cannot be read"):
        small.release()
    manifest.unlink()
    with pytest.raises(CatalogError, match=r"_releases/1-1.json.*is gone.*MEDFLOW_WAREHOUSE"):
        small.release()


def test_a_warehouse_that_was_emptied_is_told(small):
    """A catalog that points at nothing is a CatalogError that says so."""
    small.load(1)
    small.lake.forget()
    for path in (small.home / "warehouse" / "toy").rglob("*.metadata.json"):
        path.unlink()
    with pytest.raises(CatalogError, match=r"metadata.json is gone.*MEDFLOW_WAREHOUSE"):
        small.begin("b2", 2)


def test_a_lake_is_opened_from_the_settings(tmp_path):
    """Catalog and warehouse of the settings, below a home of any name."""
    from medflow.lakehouse.catalog import Lake
    from medflow.settings import load_settings

    home = tmp_path / "home with ünïcode"
    lake = Lake.open(load_settings(home=home))
    assert lake.tables() == {} and (home / "lake.db").exists()
    small = SmallLake.at(home)
    small.load(1)
    assert lake.table("toy.plain").location() == f"file://{home}/warehouse/toy/plain"
    with pytest.raises(CatalogError, match=r"no table toy\.none"):
        lake.table("toy.none")
    small.lock.release()
