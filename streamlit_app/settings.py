"""Where the page finds the API, and where its links lead. The only module of the page that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Addresses. `api_url` is called by this server; the other two are opened by the reader's browser."""

    api_url: str = "http://127.0.0.1:8000"
    airflow_url: str = "http://localhost:8088"
    spark_ui_url: str = "http://localhost:8080"


def settings_from(environment: Mapping[str, str] = os.environ) -> Settings:
    """MEDFLOW_API_URL, MEDFLOW_AIRFLOW_URL and MEDFLOW_SPARK_UI_URL, or their defaults."""
    given = {name: environment.get(f"MEDFLOW_{name.upper()}", "").rstrip("/") for name in ("api_url", "airflow_url", "spark_ui_url")}
    return Settings(**{name: value for name, value in given.items() if value})
