"""The model that settings name, within its limits: the only place that puts client, breaker and budget together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from medflow.lakehouse.database import APPLICATION, connect
from medflow.settings import Settings
from rag_backend.model.base import Model
from rag_backend.model.breaker import Breaker
from rag_backend.model.budget import TokenBudget
from rag_backend.model.client import AnthropicModel
from rag_backend.model.guarded import GuardedModel


def opened_model(settings: Settings, utc_today: Callable[[], date]) -> Model:
    """A model for all threads of a process; its tokens of a day are counted in the application's database.

    Raises:
        UsageError: no key, or no such database. MissingExtraError: the SDK is not installed.
    """
    inner = AnthropicModel(settings)
    return GuardedModel(inner, Breaker(), TokenBudget(connect(settings.app_db, named=APPLICATION), settings.tokens_per_day), utc_today)
