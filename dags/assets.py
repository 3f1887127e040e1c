"""The lake's tables as assets, from the declarations, and the payers whose folders are looked into.

Airflow reads a DAG again for every task: names alone are read here, in milliseconds, without checking the declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow.sdk import Asset

from medflow.settings import load_settings

_TABLE = re.compile(r"^table: *(\S+)", re.MULTILINE)
_LAYERS = ("bronze", "silver", "gold")
_REFERENCE = "reference"  # the landing folder of files that are no payer's


def table_assets() -> list[Asset]:
    """Every table of a release, by the name that questions and commands use."""
    return [Asset(name=name, uri=f"iceberg://lake/{name.replace('.', '/')}") for name in table_names()]


def table_names() -> list[str]:
    """Names of all declared tables."""
    return sorted(_names())


def payers() -> list[str]:
    """The declared payers and the folder of reference files."""
    declared = sorted(path.stem for path in (load_settings().knowledge_base / "payers").glob("*.yaml"))
    return [*declared, _REFERENCE]


def _names() -> Iterator[str]:
    declarations = load_settings().knowledge_base
    for path in (path for layer in _LAYERS for path in (declarations / layer).iterdir()):
        if named := _TABLE.search(path.read_text(encoding="utf-8")):
            yield named[1]
