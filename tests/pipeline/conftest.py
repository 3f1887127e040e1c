"""Fixtures of more than one file here: a lake of four loads, and the jobs on a lake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spark_jobs import compaction
from tests.pipeline.four_loads import Scene, made_scene
from tests.pipeline.steps import Steps
from tests.support.lake import Lake


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One lake of four loads for a file's tests."""
    return made_scene(tmp_path_factory.mktemp("maintain"))


@pytest.fixture
def loaded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The scene's lake as the loads left it; more than two small files of a partition are worth rewriting."""
    monkeypatch.setattr(compaction, "SMALL_FILES", 2)
    return scene.set_up()


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Lake], Steps]:
    """The steps on a lake, which this process's environment names from now on."""

    def named(lake: Lake) -> Steps:
        for name, value in lake.environment().items():
            if name.startswith("MEDFLOW_"):
                monkeypatch.setenv(name, value)
        return Steps(lake, capsys.readouterr)

    return named


@pytest.fixture
def steps(lake: Lake, at_work: Callable[[Lake], Steps]) -> Steps:
    """The steps on an empty lake."""
    return at_work(lake)


@pytest.fixture
def other(tmp_path: Path) -> Lake:
    """A lake for `medflow run`, to compare with."""
    return Lake(tmp_path / "other")
