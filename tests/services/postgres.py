"""Postgres: the catalog and the application's database, in a cluster of its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.services.server import NotReady, Server, free_ports, program, running

USER = "medflow"
PASSWORD = "for-tests"
_ACCOUNT = "postgres"  # it does not run as root
_DATABASES = ("lake", "app")


@dataclass
class Postgres:
    """A running cluster with a role and two empty databases, `lake` and `app`."""

    server: Server
    port: int

    def url(self, database: str = "lake", port: int | None = None) -> str:
        """The database's URL, also by way of another port, such as a proxy's."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def make_database(self, name: str) -> str:
        """An empty database; its URL."""
        connection = psycopg2.connect(self.url("lake"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
        connection.close()
        return self.url(name)


@contextmanager
def postgres(folder: Path, port: int | None = None) -> Iterator[Postgres]:
    """A cluster below `folder`, made there if it is missing."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    port = port or free_ports(1)[0]
    data = folder / "postgres"
    if not data.exists():
        _make(program("initdb", "postgresql", bins), data)
    command = [program("postgres", "postgresql", bins), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    # fsync: a test's cluster need not outlive the machine
    command += ["-c", f"unix_socket_directories={data}", "-c", "max_connections=200", "-c", "fsync=off"]
    server = Server("postgres", command, folder, _ready(port), user=_ACCOUNT, end_signal=signal.SIGINT)
    with running(server):
        _make_databases(port)
        yield Postgres(server, port)


def _make(initdb: str, data: Path) -> None:
    password = data.with_suffix(".password")
    data.mkdir(parents=True)
    password.write_text(PASSWORD, encoding="utf-8")
    if os.getuid() == 0:
        account = pwd.getpwnam(_ACCOUNT)
        for path in (data, password):
            shutil.chown(path, account.pw_uid, account.pw_gid)
        for above in data.parents:  # its own folders lie below ours: they may be passed through, not listed
            if above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
                above.chmod(above.stat().st_mode | 0o011)
    command = [initdb, "-D", str(data), "-U", USER, "--pwfile", str(password), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(command, check=True, capture_output=True, cwd="/", user=_ACCOUNT if os.getuid() == 0 else None)
    password.unlink()


def _ready(port: int) -> Callable[[], None]:
    def ready() -> None:
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres", connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            raise NotReady(str(error)) from None

    return ready


def _make_databases(port: int) -> None:
    connection = psycopg2.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        present = {name for (name,) in cursor.fetchall()}
        for name in _DATABASES:
            if name not in present:
                cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
