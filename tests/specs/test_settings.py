"""Settings: argument > environment > .env > default; unknown MEDFLOW_ names are refused; keys are kept, never printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from medflow.errors import UsageError
from medflow.settings import load_settings


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("MEDFLOW_HOME", "MEDFLOW_MEMORY", "MEDFLOW_CATALOG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_defaults_hang_below_home(empty_folder: Path) -> None:
    """Catalog, warehouse and landing folder lie in ./.medflow."""
    settings = load_settings()
    assert settings.home == empty_folder / ".medflow"
    assert settings.catalog == f"sqlite:///{empty_folder / '.medflow/lake.db'}"
    assert settings.landing_folder == empty_folder / ".medflow/landing"


def test_the_nearer_source_wins(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument over environment over .env; names of other programs in .env are theirs."""
    (empty_folder / ".env").write_text("MEDFLOW_MEMORY=1GB\nOTHER_PROGRAM=1\n")
    assert load_settings().memory == "1GB"
    monkeypatch.setenv("MEDFLOW_MEMORY", "2GB")
    assert load_settings().memory == "2GB"
    assert load_settings(memory="4GB").memory == "4GB"


def test_an_unknown_name_is_refused_wherever_it_stands(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In .env and in the environment, with the names that are allowed."""
    (empty_folder / ".env").write_text("MEDFLOW_MEMROY=1GB\n")
    with pytest.raises(UsageError, match=r"unknown setting MEDFLOW_MEMROY; allowed: .*MEDFLOW_MEMORY"):
        load_settings()
    (empty_folder / ".env").unlink()
    monkeypatch.setenv("MEDFLOW_CATALOGUE", "x")
    with pytest.raises(UsageError, match="MEDFLOW_CATALOGUE"):
        load_settings()


def test_a_wrong_value_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, and not the value."""
    monkeypatch.setenv("MEDFLOW_THREADS", "many")
    with pytest.raises(UsageError, match="MEDFLOW_THREADS"):
        load_settings()


def test_the_pseudonym_key_is_made_once_and_kept_private(empty_folder: Path) -> None:
    """Mode 0600, the same at the second look, and in no printed form of the settings."""
    key = load_settings().secret_pseudonym_key
    assert len(key) == 64
    assert load_settings().secret_pseudonym_key == key
    assert (empty_folder / ".medflow/pseudonym.key").stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(load_settings(pseudonym_key="secret"))


def test_a_damaged_key_is_never_used(empty_folder: Path) -> None:
    """An empty key file would give pseudonyms that anyone can compute."""
    (empty_folder / ".medflow").mkdir()
    (empty_folder / ".medflow/pseudonym.key").write_text("")
    with pytest.raises(UsageError, match="holds no key"):
        _ = load_settings().secret_pseudonym_key


def test_a_shared_cache_wants_a_shared_key() -> None:
    """What lies on a server is signed with a key that all who read it have; the cache of a process makes its own."""
    assert len(load_settings().secret_cache_key) == 64
    with pytest.raises(UsageError, match="MEDFLOW_CACHE_KEY"):
        _ = load_settings(cache="redis://localhost:6379/0").secret_cache_key
    assert load_settings(cache="redis://localhost:6379/0", cache_key="given").secret_cache_key == b"given"


def test_a_key_of_the_model_changes_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner is chosen by its setting alone."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "given")
    assert (load_settings().planner, load_settings().model_key) == ("grammar", "given")
