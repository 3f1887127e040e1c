"""A model within its limits: not asked when the day's tokens are spent, nor for a while after it failed again and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date

from medflow.errors import CatalogError
from rag_backend.engines.base import Cancellation
from rag_backend.model.base import Model, ModelReply, ModelRequest
from rag_backend.model.breaker import Breaker
from rag_backend.model.budget import Reservation, TokenBudget
from rag_backend.model.errors import ModelMistake, ModelOverloaded, ModelRefusedKey, ModelSpent, ModelUnavailable

_CHARACTERS_A_TOKEN = 3  # fewer than English has: an estimate that is too high is put back
_TOOK_NOTHING = (ModelOverloaded, ModelRefusedKey, ModelMistake, ModelUnavailable)


class GuardedModel:
    """`inner` behind a breaker and a budget. `today` says which day (UTC) the tokens of a call belong to."""

    def __init__(self, inner: Model, breaker: Breaker, budget: TokenBudget, today: Callable[[], date]) -> None:
        self._inner = inner
        self._breaker = breaker
        self._budget = budget
        self._today = today

    def reply(self, request: ModelRequest, cancel: Cancellation) -> ModelReply:
        """See `Model.reply`. A call without a reply has spent its prompt, unless the server turned it away.

        Raises:
            ModelSpent: it may take more tokens than the day has left.
            ModelUnavailable: the breaker is open, or the tokens cannot be counted.
        """
        prompt = estimated_prompt(request)
        reservation = self._reserved(prompt + request.max_tokens)
        if reservation is None:
            raise ModelSpent("the model's tokens of today (UTC) are spent; they are counted anew tomorrow, see MEDFLOW_TOKENS_PER_DAY")
        used = prompt
        try:
            with self._breaker.passing():
                reply = self._inner.reply(request, cancel)
            used = reply.usage.total
        except _TOOK_NOTHING:
            used = 0
            raise
        finally:
            with suppress(CatalogError):  # then the reservation counts as spent
                self._budget.settle(reservation, used)
        return reply

    def _reserved(self, tokens: int) -> Reservation | None:
        try:
            return self._budget.reserve(tokens, self._today())
        except CatalogError:
            raise ModelUnavailable("the tokens of today cannot be counted: MEDFLOW_APP_DB cannot be used") from None

    def close(self) -> None:
        self._inner.close()


def estimated_prompt(request: ModelRequest) -> int:
    """Tokens of what is sent, rather too many than too few."""
    parts = (*request.system, json.dumps([request.tools, request.messages], ensure_ascii=False))
    return sum(map(len, parts)) // _CHARACTERS_A_TOKEN + 1
