"""The docs say what is: their commands run, their files load, the reference pages are current."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medflow.settings import packaged_knowledge_base
from medflow.specs.knowledge_base import load_knowledge_base
from tests.support.lake import ROOT, Lake
from tools.reference_pages import pages

_BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!http)([^)#]+)")


@pytest.mark.parametrize("page", ["follow-one-claim.md", "add-a-payer.md", "add-a-gold-table.md"])
def test_every_block_of_a_how_to_runs(page: str, tmp_path: Path) -> None:
    """Files are written where the block says, commands run in order and end with 0."""
    shutil.copytree(packaged_knowledge_base(), tmp_path / "kb")
    environment = Lake(tmp_path / "lake").environment()
    for kind, file, text in _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8")):
        if file:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
        elif kind == "console":
            for line in text.splitlines():
                name, *arguments = shlex.split(line.removeprefix("$ "))
                assert name == "medflow"
                run([sys.executable, "-m", "medflow", *arguments], environment, tmp_path)
        elif kind == "python":
            run([sys.executable, "-c", text], environment, tmp_path)


def run(command: list[str], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_reference_pages_are_current() -> None:
    """`make docs` was run after the last change of knowledge_base/."""
    for name, text in pages(load_knowledge_base(packaged_knowledge_base())).items():
        assert (ROOT / "docs/reference" / name).read_text(encoding="utf-8") == text, f"docs/reference/{name} is old: run make docs"


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]))
def test_links_lead_somewhere(page: str) -> None:
    """Every link to a file of the repository finds it."""
    path = ROOT / page
    missing = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if not (path.parent / link).exists()]
    assert not missing


def test_sizes_of_readme_and_decisions() -> None:
    """README under 150 lines, a decision under 50."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
    for path in (ROOT / "docs/decisions").glob("*.md"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 50, path.name
