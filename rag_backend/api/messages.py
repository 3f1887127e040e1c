"""What a client may say over a socket: strict, as bodies are."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from rag_backend.api.bodies import AskBody, Body, Name
from rag_backend.api.problems import ProblemError, invalid
from rag_backend.api.walls import BODY_BYTES, too_long


class AskMessage(AskBody):
    """A question, as `POST /ask` takes it; `id` is what all that is said of it will carry."""

    type: Literal["ask"]
    id: Name


class CancelMessage(Body):
    """Stop the question of this id."""

    type: Literal["cancel"]
    id: Name


_MESSAGE: TypeAdapter[AskMessage | CancelMessage] = TypeAdapter(Annotated[AskMessage | CancelMessage, Field(discriminator="type")])


class Malformed(Exception):
    """A message that is none; `id` is the one that it gives, or ''."""

    def __init__(self, problem: ProblemError, id_: str = "") -> None:
        super().__init__(problem.detail)
        self.problem, self.id = problem, id_


def message_of(text: str) -> AskMessage | CancelMessage:
    """The message that a text is.

    Raises:
        Malformed: it is too long, no JSON, or not as declared.
    """
    if len(text) > BODY_BYTES or len(text.encode(errors="replace")) > BODY_BYTES:
        raise Malformed(too_long())
    try:
        given: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed(invalid([{"type": "json_invalid"}])) from None
    try:
        return _MESSAGE.validate_python(given)
    except ValidationError as error:
        told = [{**one, "loc": one["loc"][1:]} for one in error.errors(include_url=False)]  # without the type that it was read as
        raise Malformed(invalid(told), _id_of(given)) from None


def _id_of(given: Any) -> str:
    try:
        return str(TypeAdapter(Name).validate_python(given["id"], strict=True))
    except (ValidationError, KeyError, TypeError, IndexError):
        return ""
