"""Every way in which a call of the model ends without a reply.

ModelError (1)
├── ModelTimeout          the whole call took longer than MEDFLOW_MODEL_TIMEOUT_S; the connection was closed
├── ModelOverloaded       too many requests, or the service is overloaded, after the retries
├── ModelRefusedKey       the key, or the account behind it, is not accepted
├── ModelMistake          the request breaks a rule of the service: the same request fails again
├── ModelBroken           what came is no reply; `reason` says of what kind
├── ModelSpent            the day's tokens are spent; nothing was sent
└── ModelUnavailable      no server could be asked, or none is asked for a while
    └── ModelNotConfigured (2)   no key, or nothing recorded; the message says what to do

No message holds a word of the question, a key, or the server's own text.
"""

from __future__ import annotations

from typing import Literal

from medflow.errors import MedflowError, UsageError

BrokenReason = Literal["cut", "malformed", "too_long", "server"]


class ModelError(MedflowError):
    """Base of all."""


class ModelTimeout(ModelError):
    """The time limit of the whole call was reached."""

    def __init__(self) -> None:
        super().__init__("the model took longer than MEDFLOW_MODEL_TIMEOUT_S; the call was given up")


class ModelOverloaded(ModelError):
    """Rate limit or overload, and waiting longer would pass the time limit or the number of retries."""


class ModelRefusedKey(ModelError):
    """The key is wrong, or its account may not use the model."""


class ModelMistake(ModelError):
    """The request is wrong; repeating it is useless."""


class ModelBroken(ModelError):
    """No reply could be read: the stream was cut, is malformed, is endless, or the server failed."""

    def __init__(self, reason: BrokenReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ModelSpent(ModelError):
    """MEDFLOW_TOKENS_PER_DAY is reached."""


class ModelUnavailable(ModelError):
    """No server could be asked, or it failed so often that it is left alone for a while."""


class ModelNotConfigured(ModelUnavailable, UsageError):
    """Something is missing that the caller can set."""
