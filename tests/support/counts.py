"""How much of a long suite runs: a fixed seeded sample (`make test`), or all of it (`make test-full`)."""

from __future__ import annotations

import os

WHOLE = os.environ.get("TEST_COUNTS") == "full"


def counted(sample: int, whole: int) -> int:
    """The number of cases to run."""
    return whole if WHOLE else sample
