"""Which lines and versions of a batch carry something to be warned of, by what was meant. Reads arrays, changes nothing."""

from __future__ import annotations

from typing import Final

import numpy as np

from medflow.generate.diagnoses import FIRST_HEADING, FIRST_SECONDARY
from medflow.generate.tables import PENDING, REJECTED, SEX_UNKNOWN_TO_PAYER, Batch

LINE_WARNINGS: Final = ("content_repeats", "decision_date_present", "diagnosis_not_leaf", "procedure_missing", "sex_known")


def line_warnings(batch: Batch) -> dict[str, np.ndarray]:
    """Rule → of each line, whether it warns."""
    claims, versions = batch.claims, batch.versions
    decided = (versions.status != PENDING) & (versions.status != REJECTED)
    undated = decided & (versions.adjudicated == 0)
    heading = np.any((claims.diagnoses >= FIRST_HEADING) & (claims.diagnoses < FIRST_SECONDARY), axis=1)
    claim = batch.line_claim
    return {
        "content_repeats": claims.rebilled[claim],
        "decision_date_present": undated[batch.lines.version],
        "diagnosis_not_leaf": heading[claim],
        "procedure_missing": batch.lines.procedure < 0,
        "sex_known": (claims.sex == SEX_UNKNOWN_TO_PAYER)[claim],
    }


def warned_versions(batch: Batch) -> np.ndarray:
    """Of each version: whether any of its lines warns."""
    warned = np.logical_or.reduce(list(line_warnings(batch).values()))
    result = np.zeros(len(batch.versions.claim), bool)
    result[batch.lines.version[warned]] = True
    return result
