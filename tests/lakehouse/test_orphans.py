"""Orphan files: what nothing refers to goes after a day, what is referred to stays, and doubt deletes nothing."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medflow.errors import CatalogError
from medflow.lakehouse.locations import openable
from spark_jobs import retention
from spark_jobs.orphans import GRACE
from tests.lakehouse.maintenance import contents, files, load, loads, retired, swept
from tests.lakehouse.small_lake import PLAIN
from tests.lakehouse.test_readers import publish_marker


def orphan(small, place, age):
    """A file that nothing refers to, written so long ago."""
    path = small.home / "warehouse" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left behind")
    when = (datetime.now(UTC) - age).timestamp()
    os.utime(path, (when, when))
    return path


_PLACES = (
    "toy/plain/data/x/p0=1/a.parquet",
    "toy/by_payer/metadata/a.avro",
    "_releases/7-3.json",
    "_work/0a1b/claims.parquet",
    "toy/plain/metadata/00009-a.metadata.json",
)


@pytest.mark.parametrize("place", _PLACES)
def test_an_orphan_goes_after_a_day_and_not_before(small, place):
    """By its own time against the given clock; until then it is told as waiting."""
    load(small, 1)
    path = orphan(small, place, timedelta())
    name = place.split("/")[0] if place.startswith("_") else ".".join(place.split("/")[:2])
    before = files(small)
    told = swept(small, datetime.now(UTC) + GRACE - timedelta(minutes=1))
    assert (told[name].files, told[name].waiting_files, told[name].waiting_bytes) == (0, 1, 11) and files(small) == before
    told = swept(small, datetime.now(UTC) + GRACE + timedelta(minutes=1))
    assert (told[name].files, told[name].bytes, told[name].waiting_files) == (1, 11, 0)
    assert files(small) == before - {str(path)}


def test_emptied_folders_go_and_others_stay(small):
    """Below a table's data only."""
    load(small, 1)
    orphan(small, "toy/plain/data/x/p0=1/a.parquet", timedelta(days=3))
    (small.home / "warehouse/toy/plain/metadata/mine").mkdir()
    swept(small)
    data = small.home / "warehouse/toy/plain/data"
    assert data.is_dir() and not (data / "x").exists() and (small.home / "warehouse/toy/plain/metadata/mine").is_dir()
    assert contents(small, [1])


def test_nothing_outside_of_the_tables_folders_is_touched(small):
    """Files beside them, of tables that the catalog does not know, and of another folder of the same name's beginning."""
    load(small, 1)
    places = ("loose.parquet", "toy/loose.parquet", "toy/plain2/data/a.parquet", "other/t/data/a.parquet", "_releases2/1.json")
    left = [orphan(small, place, timedelta(days=9)) for place in places]
    assert all(one.files == 0 for one in swept(small).values())
    assert all(path.exists() for path in left)


def test_links_are_not_followed(small, tmp_path):
    """Neither to folders nor to files, nor is a link itself deleted."""
    load(small, 1)
    outside = tmp_path / "outside"
    outside.mkdir()
    precious = outside / "precious.parquet"
    precious.write_bytes(b"mine")
    os.utime(precious, (0, 0))
    data = small.home / "warehouse/toy/plain/data"
    (data / "folder").symlink_to(outside, target_is_directory=True)
    (data / "file.parquet").symlink_to(precious)
    swept(small)
    assert precious.exists() and (data / "folder").is_symlink() and (data / "file.parquet").is_symlink()


@pytest.mark.parametrize("place", ["toy", "toy/plain", "toy/plain/data", "_releases"])
def test_a_folder_behind_a_link_stops_it(small, tmp_path, place):
    """What is referred to is not where the listing looks, so nothing is deleted anywhere."""
    load(small, 1)
    left = orphan(small, "toy/by_payer/data/a.parquet", timedelta(days=9))
    folder = small.home / "warehouse" / place
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved", target_is_directory=True)
    with pytest.raises(CatalogError, match=r"behind a link.*No file was deleted"):
        swept(small)
    assert left.exists()


def manifest_of(small):
    table = small.lake.table(PLAIN.name)
    return Path(openable(table.current_snapshot().manifests(small.lake.io)[0].manifest_path))


def harmed(small, what):
    """The path of one file that a release needs."""
    release = small.release()
    return {
        "manifest list": lambda: Path(openable(small.lake.table(PLAIN.name).current_snapshot().manifest_list)),
        "manifest": lambda: manifest_of(small),
        "metadata": lambda: Path(openable(small.lake.pointers()[PLAIN.name])),
        "metadata of a kept release": lambda: Path(openable(small.release(1).tables[PLAIN.name].metadata)),
        "data file": lambda: Path(release.tables[PLAIN.name].files[0]),
        "release": lambda: next((small.home / "warehouse/_releases").glob("1-*")),
    }[what]()


_READ = ("manifest list", "manifest", "metadata", "release")  # the others only have to be there
_HARMS = [
    *((what, harm) for what in _READ for harm in ("gone", "garbage", "cut off")),
    ("manifest", "emptied"),
    ("metadata of a kept release", "gone"),
    ("data file", "gone"),
]


def header(path):
    """An Avro file with its header and no block of rows, which reads as a sound file without rows."""
    content = path.read_bytes()
    return content[: content.index(content[-16:]) + 16]


@pytest.mark.parametrize(("what", "harm"), _HARMS)
def test_doubt_deletes_nothing(small, what, harm):
    """A file that is referred to is gone, cut off or no such file: told by name, and every orphan stays."""
    loads(small, 2)
    left = [orphan(small, place, timedelta(days=9)) for place in _PLACES]
    path = harmed(small, what)
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"garbage": b"no such thing", "cut off": path.read_bytes()[:-20], "emptied": header(path)}[harm])
    stored = files(small)
    with pytest.raises(CatalogError, match=r"No file was deleted") as told:
        swept(small)
    assert path.name in str(told.value)
    assert files(small) == stored and all(one.exists() for one in left)


def test_a_table_that_lies_elsewhere_stops_it(small):
    """Its location is not its folder of the warehouse."""
    load(small, 1)
    path = Path(openable(small.lake.pointers()[PLAIN.name]))
    text = json.loads(path.read_text())
    path.write_text(json.dumps({**text, "location": text["location"] + "2"}))
    with pytest.raises(CatalogError, match=r"toy\.plain lies at .*plain2, not in its folder.*No file was deleted"):
        swept(small)


def test_a_snapshot_of_a_kept_release_that_is_lost_stops_it(small):
    """Another program has expired it."""
    loads(small, 2)
    snapshot = small.release(1).tables[PLAIN.name].snapshot
    table = small.lake.table(PLAIN.name)
    table.manage_snapshots().remove_tag("release_1").commit()
    table.maintenance.expire_snapshots().by_id(snapshot).commit()
    with pytest.raises(CatalogError, match=r"toy\.plain has lost its snapshot of release 1, which is kept"):
        swept(small)


def test_a_file_that_cannot_be_deleted_is_told(small, monkeypatch):
    """What the storage says becomes a message; the next call goes on."""
    load(small, 1)
    orphan(small, _PLACES[0], timedelta(days=9))

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        with pytest.raises(CatalogError, match=r"a\.parquet cannot be opened: you may not"):
            swept(small)
    assert swept(small)["toy.plain"].files == 1


def test_readers_beside_maintenance_see_whole_releases(small, monkeypatch):
    """Two processes poll while each release is followed by a maintenance that deletes all it may at once."""
    monkeypatch.setattr(retention, "KEPT_RELEASES", 5)
    publish_marker(small, 1)
    command = [sys.executable, "-m", "tests.lakehouse.reader", str(small.home)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [reader.stdout.readline() for reader in readers] == ["reading\n"] * 2
    for number in range(2, 16):
        publish_marker(small, number)
        retired(small)
        swept(small)
    (small.home / "stop").touch()
    for reader in readers:
        told = reader.communicate(timeout=60)[0]
        assert re.match(r"\d+ reads, last \d+", told) and reader.returncode == 0, told
    assert sorted(small.ledger.expired()) == list(range(1, 11))
