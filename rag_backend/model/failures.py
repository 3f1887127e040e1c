"""What the SDK raised, as one of ours. Kinds and numbers are read of it, words never: they may repeat what was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import anthropic
import httpx2

from rag_backend.model.errors import ModelBroken, ModelError, ModelMistake, ModelRefusedKey, ModelTimeout, ModelUnavailable

RAISED = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError, ValueError)
_NO_CONNECTION = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError, httpx2.UnsupportedProtocol, httpx2.InvalidURL)
_Kind = Literal["busy", "key", "mistake", "server"]
_BY_TYPE: dict[str, _Kind] = {
    "authentication_error": "key",
    "permission_error": "key",
    "billing_error": "key",
    "rate_limit_error": "busy",
    "overloaded_error": "busy",
    "invalid_request_error": "mistake",
    "not_found_error": "mistake",
}
_BY_STATUS: dict[int, _Kind] = {401: "key", 402: "key", 403: "key", 408: "server", 429: "busy", 529: "busy"}
_WITHIN = 200  # of an error within a stream only the type is known


@dataclass(frozen=True)
class Busy:
    """The service asks to come back later, after so many seconds if it says so."""

    retry_after: float = 0.0


def failure(error: Exception) -> ModelError | Busy:
    """What happened, without a word of it."""
    if isinstance(error, anthropic.APIStatusError):
        return _refused(error)
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    if isinstance(cause, _NO_CONNECTION):
        return ModelUnavailable("the model's server cannot be reached; check MEDFLOW_MODEL_BASE_URL and the network")
    if isinstance(cause, httpx2.TimeoutException):
        return ModelTimeout()
    if isinstance(cause, httpx2.HTTPError | httpx2.StreamError | OSError):
        return ModelBroken("cut", "the connection to the model broke off before the reply was whole")
    return ModelBroken("malformed", "the model's reply has not the form of a reply")


def _refused(error: anthropic.APIStatusError) -> ModelError | Busy:
    status = error.status_code
    within = status == _WITHIN
    kind = _BY_TYPE.get(str(error.type), "server") if within else _of_status(status)
    where = "within its reply" if within else f"HTTP {status}"
    if kind == "busy":
        return Busy(_retry_after(error.response.headers))
    if kind == "key":
        return ModelRefusedKey(f"the key of the model is not accepted ({where}); check ANTHROPIC_API_KEY and its account")
    if kind == "mistake":
        return ModelMistake(f"the model's server calls the request wrong ({where}); check MEDFLOW_MODEL, else it is a fault of MedFlow")
    return ModelBroken("server", f"the model's server failed ({where}); try again later")


def _of_status(status: int) -> _Kind:
    return _BY_STATUS.get(status, "mistake" if 400 <= status < 500 else "server")


def _retry_after(headers: httpx2.Headers) -> float:
    """Seconds; 0 = not said. A date is passed over: nobody here knows what time it is."""
    try:
        seconds = float(headers.get("retry-after-ms", "")) / 1000
    except ValueError:
        try:
            seconds = float(headers.get("retry-after", ""))
        except ValueError:
            return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
