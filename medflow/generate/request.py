"""What a sample is asked to be, checked before anything is written. Reads the state of the output folder, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from medflow.errors import UsageError
from medflow.generate.damage import DAMAGES

DEFAULT_AS_OF = date(2026, 6, 30)
MOST_CLAIMS = 10**9
MOST_DEFECTS = 0.5
EARLIEST, LATEST = date(1990, 1, 1), date(2090, 12, 31)


@dataclass(frozen=True)
class SampleRequest:
    """N distinct claims over the three payers as known on `as_of`, written below `out`.

    `days`: daily folders up to `as_of` (1 = one file a payer). `defects`: share of lines with an error of their own,
    0 to 0.5. `damage`: a kind of `medflow.generate.damage.DAMAGES`, done to one file at the end.

    Raises:
        UsageError: an argument is out of its range, or `out` is not an empty or new folder.
    """

    claims: int
    seed: int
    out: Path
    as_of: date = DEFAULT_AS_OF
    days: int = 1
    defects: float = 0.0
    damage: str | None = None

    def __post_init__(self) -> None:
        problems = [problem for problem in (*self._number_problems(), *self._other_problems()) if problem]
        if problems:
            raise UsageError("; ".join(problems))

    def _number_problems(self) -> tuple[str, ...]:
        return (
            "" if 0 <= self.claims <= MOST_CLAIMS else f"claims must be 0 to {MOST_CLAIMS:,}",
            "" if 0 <= self.seed < 2**63 else "seed must be 0 or more and fit 63 bits",
            "" if self.days >= 1 else "days must be 1 or more",
            "" if 0 <= self.defects <= MOST_DEFECTS else f"defects must be a share of lines from 0 to {MOST_DEFECTS}",
        )

    def _other_problems(self) -> tuple[str, ...]:
        known = self.damage is None or self.damage in DAMAGES
        return (
            "" if EARLIEST <= self.as_of <= LATEST else f"as-of date must lie between {EARLIEST} and {LATEST}",
            "" if known else f"unknown damage; allowed: {', '.join(sorted(DAMAGES))}",
            _folder_problem(self.out),
        )


def _folder_problem(out: Path) -> str:
    if not out.exists():
        return ""
    if not out.is_dir():
        return f"{out} is a file; give a folder that is new or empty"
    return f"{out} is not empty; give a folder that is new or empty" if any(out.iterdir()) else ""
