"""The API over HTTP. Every reply that is no answer is a ProblemError; nothing else is raised."""

from __future__ import annotations

from typing import Any

import httpx

from streamlit_app.problems import AWAY, Problem, ProblemError, problem_of

_SECONDS = 60.0
_TO_CONNECT = 3.0


class Api:
    """The service at one address. Safe for several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        # a proxy of the environment is for other hosts: the API stands beside the page
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(_SECONDS, connect=_TO_CONNECT), trust_env=False)

    def examples(self) -> dict[str, Any]:
        """The current release, who asks, and questions that it has answered."""
        return self._json("GET", "/examples")

    def pipeline(self, what: str, **parameters: Any) -> dict[str, Any]:
        """What the pipeline did: releases, batches, files, quality or quarantine."""
        return self._json("GET", f"/pipeline/{what}", params=parameters)

    def rate(self, answer_id: str, rating: int, reason: str) -> None:
        """Keep a rating of an answer; the last one counts."""
        self._json("POST", "/feedback", json={"answer_id": answer_id, "rating": rating, "reason": reason})

    def download(self, answer_id: str) -> bytes:
        """An answer as CSV."""
        return self._reply("GET", f"/answers/{answer_id}/download", params={"format": "csv"}).content

    def _json(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        try:
            told: dict[str, Any] = self._reply(method, address, **more).json()
        except ValueError:  # something else listens there
            raise ProblemError(AWAY) from None
        return told

    def _reply(self, method: str, address: str, **more: Any) -> httpx.Response:
        try:
            reply = self._client.request(method, address, **more)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise ProblemError(AWAY) from None
        if not reply.is_success:
            raise ProblemError(_problem(reply))
        return reply


def _problem(reply: httpx.Response) -> Problem:
    if "problem+json" not in reply.headers.get("content-type", ""):
        return Problem(AWAY.slug, reply.status_code)
    problem = problem_of(reply.json(), reply.status_code)
    return Problem("forbidden", problem.status, problem.detail) if problem.status == httpx.codes.FORBIDDEN else problem
