"""The questions that are being answered, by their answers' ids: so that anybody who knows an id can stop one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from rag_backend.api.problems import ProblemError
from rag_backend.engines.base import Cancellation


class UnderWay:
    """Ids and their switches. Used from the server's own thread alone."""

    def __init__(self) -> None:
        self._switches: dict[str, Cancellation] = {}

    @contextmanager
    def entered(self, answer_id: str, cancel: Cancellation) -> Iterator[None]:
        """The switch of a question is known by its id until the end of the block.

        Raises:
            ProblemError: the id is that of another question under way.
        """
        if answer_id in self._switches:
            raise taken()
        self._switches[answer_id] = cancel
        try:
            yield
        finally:
            del self._switches[answer_id]

    def cancel(self, answer_id: str) -> bool:
        """Stop a question; whether it was under way."""
        if answer_id not in self._switches:
            return False
        self._switches[answer_id].cancel()
        return True


def taken() -> ProblemError:
    """What is told where an answer's id is not new."""
    return ProblemError(HTTPStatus.CONFLICT, "answer-id-taken", "there is an answer of this answer_id already: choose another")
