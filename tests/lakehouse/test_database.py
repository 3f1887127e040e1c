"""The catalog database: what a user hears when it cannot be used."""

import sqlite3
import threading

import pytest
from sqlalchemy import text

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse import database
from medflow.lakehouse.database import connect, writing


def test_a_new_catalog_is_made_with_its_folder(tmp_path):
    """A missing SQLite file and the folders above it are created."""
    connect(f"sqlite:///{tmp_path / 'a' / 'b' / 'lake.db'}")
    assert (tmp_path / "a" / "b" / "lake.db").exists()


def test_a_reader_makes_nothing(tmp_path):
    """Without `create`, a missing catalog is an error that names the command that makes one."""
    with pytest.raises(CatalogError, match=r"medflow run.*MEDFLOW_CATALOG"):
        connect(f"sqlite:///{tmp_path / 'lake.db'}", create=False)
    assert not (tmp_path / "lake.db").exists()


def _not_a_database(path):
    path.write_text("claims, claims and claims\n" * 100)


def _a_folder(path):
    path.mkdir()


def _damaged(path):
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "said"),
    [(_not_a_database, "not a SQLite database"), (_a_folder, "cannot be opened"), (_damaged, "damaged")],
)
def test_a_catalog_that_cannot_be_used_says_what_and_what_to_do(tmp_path, make, said):
    """The message names the file, the setting and a remedy, and shows no Python or SQL."""
    make(tmp_path / "lake.db")
    with pytest.raises(CatalogError) as error, connect(f"sqlite:///{tmp_path / 'lake.db'}").connect() as connection:
        connection.execute(text("SELECT * FROM t"))
    message = str(error.value)
    assert said in message and "lake.db" in message and "MEDFLOW_CATALOG" in message
    assert "sqlite3" not in message and "SELECT" not in message and "Traceback" not in message


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path):
    """SQLite's own page limit stands for the disk: the transaction is gone as a whole."""
    engine = connect(f"sqlite:///{tmp_path / 'lake.db'}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (a TEXT)"))
    with pytest.raises(CatalogError, match="disk is full"), writing(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 8")
        for _ in range(100):
            connection.execute(text("INSERT INTO t VALUES (:a)"), {"a": "x" * 4000})
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM t")).scalar_one() == 0


def test_a_read_only_catalog_is_told_when_it_is_written(tmp_path):
    """Reading works; the first write says that the file is read-only."""
    connect(f"sqlite:///{tmp_path / 'lake.db'}")
    engine = connect(f"sqlite:///file:{tmp_path / 'lake.db'}?mode=ro&uri=true")
    with pytest.raises(CatalogError, match="read-only"), writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (a TEXT)"))


@pytest.mark.parametrize("url", ["lake.db", "mysql://host/lake", "://"])
def test_a_url_of_another_kind_is_wrong_usage(url):
    """The message lists the allowed forms."""
    with pytest.raises(UsageError, match=r"sqlite:///.*postgresql://"):
        connect(url)


def test_a_silent_server_is_named_without_its_password():
    """A Postgres that does not answer is a CatalogError; the password stays out of it."""
    with pytest.raises(CatalogError) as error:
        connect("postgresql://me:secret@127.0.0.1:9/lake")
    assert "does not answer" in str(error.value) and "secret" not in str(error.value)


def test_a_write_transaction_holds_the_write_lock_from_its_start(tmp_path, monkeypatch):
    """A second writer waits before it reads, so that what it read stays true; after the limit it says who to wait for."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    engine = connect(f"sqlite:///{tmp_path / 'lake.db'}")
    with writing(engine):
        with pytest.raises(CatalogError, match="held by another process"), writing(engine):
            pass
        with engine.connect() as reader:
            reader.execute(text("SELECT 1"))


def test_writers_take_turns(tmp_path):
    """Twenty read-and-add transactions from four threads lose nothing."""
    engine = connect(f"sqlite:///{tmp_path / 'lake.db'}")
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE t (a INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (0)"))

    def add():
        for _ in range(5):
            with writing(engine) as connection:
                now = connection.execute(text("SELECT a FROM t")).scalar_one()
                connection.execute(text("UPDATE t SET a = :a"), {"a": now + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT a FROM t")).scalar_one() == 20
