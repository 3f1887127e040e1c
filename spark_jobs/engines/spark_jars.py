"""The jars that Spark needs beside pyspark's own: fetched once by their Maven coordinates, used only if the digest is right."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from medflow.errors import CatalogError

# Coordinates -> SHA-256 of the jar.
_JARS = {
    "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.12.0": "3123c3798af642dd537230923548e013ef41cc28b6626e5225808cf5670a0f82",
}
_S3_JARS = {"org.apache.iceberg:iceberg-aws-bundle:1.12.0": "dd7e49ffa4ac9b215bed846581991259e3aec9bb2fa08d6cec029c46cd66d957"}


def iceberg_jars(folder: Path, *, s3: bool = False) -> list[Path]:
    """The jars in `folder`, fetched if they are missing (48 MB, once; 69 MB more for S3).

    Raises:
        CatalogError: they cannot be fetched, or are not what they should be.
    """
    jars = _JARS | (_S3_JARS if s3 else {})
    wanted = {folder / _file_name(coordinates): digest for coordinates, digest in jars.items()}
    if missing := [path for path, digest in wanted.items() if not _is_right(path, digest)]:
        _fetch(folder, [coordinates for coordinates in jars if folder / _file_name(coordinates) in missing])
        if wrong := [path.name for path in missing if not _is_right(path, wanted[path])]:
            raise CatalogError(
                f"{', '.join(wrong)} could not be fetched into {folder}, or is not the jar that was tested. Spark fetches it by its "
                "Maven coordinates: check the network and Spark's repositories, or put the jar there yourself (MEDFLOW_JARS)"
            )
    return list(wanted)


def _fetch(folder: Path, jars: Sequence[str]) -> None:
    """Spark's own launcher resolves coordinates, with whatever repositories and mirrors its user has set."""
    from pyspark.conf import SparkConf
    from pyspark.java_gateway import launch_gateway

    with tempfile.TemporaryDirectory(prefix="medflow-jars-") as ivy:
        settings = SparkConf(loadDefaults=False)
        settings.set("spark.jars.packages", ",".join(jars)).set("spark.jars.ivy", ivy)
        try:
            launch_gateway(settings, popen_kwargs={"stderr": subprocess.DEVNULL}).shutdown()  # type: ignore[no-untyped-call]
        except Exception as error:  # its kinds are not documented; what matters is which jars are there
            raise CatalogError(f"Spark's jars cannot be fetched ({type(error).__name__}); check the network and run again") from error
        folder.mkdir(parents=True, exist_ok=True)
        for coordinates in jars:
            group, name, version = coordinates.split(":")
            found = Path(ivy) / "jars" / f"{group}_{name}-{version}.jar"
            if found.exists():
                part = folder / f".{found.name}.part"
                shutil.copyfile(found, part)
                part.replace(folder / _file_name(coordinates))


def _file_name(coordinates: str) -> str:
    _, name, version = coordinates.split(":")
    return f"{name}-{version}.jar"


def _is_right(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == digest
