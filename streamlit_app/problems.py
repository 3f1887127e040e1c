"""What went wrong, in plain words, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_AWAY = "unreachable"
_TOLD = {
    _AWAY: (
        "The service that answers is away.",
        "Start it with `medflow serve`, or page and service together with `medflow ui`. Then try again.",
    ),
    "no-release": (
        "There is nothing to ask yet: no release can be read.",
        "Run the pipeline (`medflow run`, or `medflow demo` for sample data). Then try again.",
    ),
    "busy": ("Too many questions are asked at once.", "Wait some seconds, then try again."),
    "engine-unavailable": (
        "The query engine cannot be asked now.",
        "Try again in a minute; `medflow status` and the server's log say more.",
    ),
    "query-failed": ("The query could not be computed.", "Ask for less at once, or put the question another way."),
    "no-such-option": ("This choice is not open any more.", "Ask the question again, then choose."),
    "one-at-a-time": ("Another question is still under way.", "Stop it, or wait for its answer."),
    "too-long": ("The question is too long.", "Say it in fewer words."),
    "stopped": ("The service was stopped before it had an answer.", "Try again when it is back."),
    "unexpected": ("The service has made a mistake.", "Try again; if it happens once more, report it with what the server's log says."),
    "release-expired": ("The release of this answer is gone.", "Ask again: the current release answers."),
    "forbidden": ("Your role may not read this.", "Ask somebody who serves the page for a role that may: `medflow ui --role engineer`."),
}


@dataclass(frozen=True)
class Problem:
    """What the API said instead of an answer; `slug` names the kind of problem."""

    slug: str
    status: int = 0
    detail: str = ""

    @property
    def told(self) -> tuple[str, str]:
        """What happened, and what to do."""
        happened, todo = _TOLD.get(self.slug, ("", "Put the question another way, or try again."))
        return (happened or self.detail or "The question could not be asked.", todo)


class ProblemError(Exception):
    """A request to the API that ended without what was asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


AWAY = Problem(_AWAY)


def problem_of(body: Mapping[str, Any], status: int = 0) -> Problem:
    """A problem from its details (RFC 9457)."""
    slug = str(body.get("type", "")).rpartition(":")[2]
    faults = [str(one.get("detail", "")) for one in body.get("errors", ())]
    return Problem(slug, int(body.get("status", status)), "; ".join([str(body.get("detail", "")), *faults]).strip("; "))
