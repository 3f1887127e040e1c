"""The packages that MedFlow needs with some of its extras, one a line: what an image installs before the code is there."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(extras: list[str]) -> list[str]:
    """From pyproject.toml in this folder's parent; the page alone needs none of the core's."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = [] if extras == ["ui"] else project["dependencies"]
    return [*core, *(one for extra in extras for one in project["optional-dependencies"][extra])]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1].split(","))))
