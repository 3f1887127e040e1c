"""Postgres: the catalog and the application's database, in a cluster of its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

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
def postgres(folder: Path, port: int | None = None, data: Path | None = None) -> Iterator[Postgres]:
    """A cluster with its log below `folder`; in a folder of its own, gone at the end, or in `data`, made there if it is missing."""
    with ExitStack() as until:
        if data is None:
            # not below pytest's folders: any pytest that starts shuts them to other accounts, and root's server has another one
            data = Path(until.enter_context(TemporaryDirectory(prefix="medflow-postgres-"))) / "data"
        bins = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        port = port or free_ports(1)[0]
        if not data.exists():
            _make(program("initdb", "postgresql", bins), data)
        command = [program("postgres", "postgresql", bins), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        # fsync: a test's cluster need not outlive the machine
        command += ["-c", f"unix_socket_directories={data}", "-c", "max_connections=200", "-c", "fsync=off"]
        server = Server("postgres", command, folder, _ready(port), user=_ACCOUNT, end_signal=signal.SIGINT)
        until.enter_context(running(server))
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
        data.parent.chmod(0o711)  # passed through, not listed
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
