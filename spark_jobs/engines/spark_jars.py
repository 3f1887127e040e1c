"""The jars that Spark needs beside pyspark's own: fetched once by their Maven coordinates, used only if the digest is right."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from medflow.digests import is_right
from medflow.errors import CatalogError
from medflow.jars import fetch_by_spark, jar_name, take_jar

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
    wanted = {folder / jar_name(coordinates): digest for coordinates, digest in jars.items()}
    if missing := [path for path, digest in wanted.items() if not is_right(path, digest)]:
        _fetch(folder, [coordinates for coordinates in jars if folder / jar_name(coordinates) in missing])
        if wrong := [path.name for path in missing if not is_right(path, wanted[path])]:
            raise CatalogError(
                f"{', '.join(wrong)} could not be fetched into {folder}, or is not the jar that was tested. Spark fetches it by its "
                "Maven coordinates: check the network and Spark's repositories, or put the jar there yourself (MEDFLOW_JARS)"
            )
    return list(wanted)


def _fetch(folder: Path, jars: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="medflow-jars-") as fetched:
        try:
            fetch_by_spark(jars, Path(fetched))
        except Exception as error:
            raise CatalogError(f"Spark's jars cannot be fetched ({type(error).__name__}); check the network and run again") from error
        for coordinates in jars:
            take_jar(Path(fetched), folder / jar_name(coordinates))
