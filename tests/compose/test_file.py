"""What docker-compose.yml and the image's recipe promise, without starting anything."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.compose.images import FILE, ROOT

_COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_PORTS = {"8088", "8080", "4566", "8000", "8501", "5432", "6379", "8002", "8081"}
_RECIPE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _SERVICES)
def test_a_service_is_pinned_and_not_root(name: str) -> None:
    service = _SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image and re.search(r"\d", tag) and tag != "latest"
    target = {"medflow/spark": "spark", "medflow/airflow": "airflow", "medflow/backend": "backend", "medflow/ui": "ui"}.get(image)
    if target:
        stage = _RECIPE.split(f" AS {target}\n", 1)[1].split("\nFROM ", 1)[0]
        assert "USER medflow" in stage and "user" not in service
    else:
        assert str(service["user"]) not in ("root", "0")


@pytest.mark.parametrize("name", _SERVICES)
def test_a_port_is_published_on_loopback(name: str) -> None:
    for port in _SERVICES[name].get("ports", []):
        address, published, _ = port.split(":")
        assert address == "127.0.0.1" and published in _PORTS


def test_everything_lists_its_ports() -> None:
    published = [port.split(":")[1] for service in _SERVICES.values() for port in service.get("ports", [])]
    assert sorted(published) == sorted(_PORTS)


@pytest.mark.parametrize("name", [name for name, one in _SERVICES.items() if one.get("restart") == "unless-stopped"])
def test_what_stays_up_has_a_limit_of_memory(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", _SERVICES[name]["mem_limit"])


def test_no_secret_stands_in_the_file() -> None:
    """A value behind a name that speaks of a secret is a variable, a file, or the word that LocalStack takes from anybody."""
    for service in _SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"KEY|PASSWORD|SECRET|TOKEN", name):
                assert value.startswith(("${", "/secrets/")), name


def test_trino_needs_its_profile_and_nothing_else_does() -> None:
    profiles = {name: one["profiles"] for name, one in _SERVICES.items() if "profiles" in one}
    assert profiles == {"trino": ["full"], "trino-files": ["full"], "medflow": ["tools"]}


def test_no_service_holds_the_engine() -> None:
    assert "docker.sock" not in FILE.read_text(encoding="utf-8")
    assert not any(one.get("privileged") for one in _SERVICES.values())
