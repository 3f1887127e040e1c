"""Draws what happens to claims: decision, payment, denial, and the versions that follow. In: `Claims` and `Services`.
Out: `Versions` as known on the as-of day: what is not decided by then is pending, what is not received does not exist.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from medflow.generate.claims import Cast
from medflow.generate.names import NOTE_SHARES
from medflow.generate.services import DENIALS, PROCEDURES, TOO_LATE
from medflow.generate.tables import (
    DENIED,
    ORIGINAL,
    PAID,
    PENDING,
    REJECTED,
    REPLACEMENT,
    REVERSAL,
    REVERSED,
    Claims,
    Services,
    Versions,
)

_NONE = -1
# what may follow a paid original: (share, kind of the next version, kind of the one after)
_AFTER_PAID = (
    (0.042, REPLACEMENT, _NONE),
    (0.013, REVERSAL, _NONE),
    (0.012, REVERSAL, REPLACEMENT),
    (0.005, REPLACEMENT, REPLACEMENT),
    (0.004, REPLACEMENT, REVERSAL),
)
_AFTER_DENIED, _PAID_ON_SECOND_TRY = 0.15, 0.85
_STUCK, _UNPAID, _DECISION_MISSING = 0.004, 0.012, 0.0015
_ORIGINAL_LOST, _LINE_DROPPED = 0.02, 0.15


@dataclass(frozen=True)
class _Slot:
    """The version at one sequence of every claim; rows that do not exist hold leftovers."""

    exists: np.ndarray
    kind: np.ndarray
    status: np.ndarray
    denial: np.ndarray
    received: np.ndarray
    adjudicated: np.ndarray
    paid: np.ndarray
    line_count: np.ndarray


def draw_versions(claims: Claims, services: Services, cast: Cast, rng: np.random.Generator) -> Versions:
    """Versions of the claims, sorted by claim and sequence; at least one a claim; `file` is left 0."""
    first = _original(claims, _risk(services), cast, rng)
    plan = _plans(first.status, rng)
    second = _following(first, plan[:, 0], claims.line_count, (cast, rng))
    third = _following(second, plan[:, 1], claims.line_count, (cast, rng))
    lost = (plan[:, 1] == _NONE) & second.exists & (second.kind == REPLACEMENT) & (rng.random(len(plan)) < _ORIGINAL_LOST)
    first = dataclasses.replace(first, exists=~lost)
    return _flat((first, second, third), rng)


def _risk(services: Services) -> np.ndarray:
    """Of each claim: what its riskiest procedure adds to the logit of a denial."""
    risk = np.array([*(risk for _, risk, _ in PROCEDURES.values()), 0.0])[services.procedure]
    first = np.flatnonzero(np.diff(services.claim, prepend=-1))
    return np.maximum.reduceat(risk, first) if len(first) else risk


def _original(claims: Claims, risk: np.ndarray, cast: Cast, rng: np.random.Generator) -> _Slot:
    count, payer = len(claims.member), cast.payer
    logit = payer.denial_logit + risk + cast.providers.leaning[claims.provider] + 3.2 * claims.late
    denied = rng.random(count) < 1 / (1 + np.exp(-logit))
    wanted = np.where(rng.random(count) < payer.rejects, REJECTED, np.where(denied, DENIED, PAID))
    slot = _decided(wanted, claims.received, (cast, rng))
    too_late = claims.late & (rng.random(count) < 0.85)
    denial = np.where(slot.status == DENIED, np.where(too_late, TOO_LATE, slot.denial), -1)
    return dataclasses.replace(slot, exists=np.ones(count, bool), denial=denial, line_count=claims.line_count)


def _decided(wanted: np.ndarray, received: np.ndarray, context: tuple[Cast, np.random.Generator]) -> _Slot:
    """Dates of a decision of the status `wanted`; pending where it would fall after the as-of day."""
    cast, rng = context
    count = len(wanted)
    adjudicated = received + 1 + (cast.payer.decision_days * rng.lognormal(0, 0.65, count)).astype(np.int64)
    open_ = (wanted != REJECTED) & ((adjudicated > cast.as_of) | (rng.random(count) < _STUCK))
    status = np.where(open_, PENDING, wanted)
    decided = (status != PENDING) & (status != REJECTED)
    paid = adjudicated + rng.integers(1, 15, count)
    settled = decided & (status != DENIED) & (paid <= cast.as_of) & (rng.random(count) >= _UNPAID)
    shares = np.array([share for _, _, share in DENIALS], float)
    denial = rng.choice(len(DENIALS), count, p=shares / shares.sum())
    return _Slot(
        exists=np.ones(count, bool),
        kind=np.full(count, ORIGINAL),
        status=status,
        denial=np.where(status == DENIED, denial, -1),
        received=received,
        adjudicated=np.where(decided, adjudicated, 0),
        paid=np.where(settled, paid, 0),
        line_count=np.ones(count, np.int64),
    )


def _plans(status: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[claim, 2] kinds of the versions that are to follow."""
    shares = np.cumsum([share for share, _, _ in _AFTER_PAID])
    kinds = np.array([*((second, third) for _, second, third in _AFTER_PAID), (_NONE, _NONE)])
    draw = rng.random(len(status))
    plan = np.where((status == PAID)[:, None], kinds[np.searchsorted(shares, draw, side="right")], _NONE)
    plan[(status == DENIED) & (draw < _AFTER_DENIED), 0] = REPLACEMENT
    return plan


def _following(before: _Slot, kind: np.ndarray, full_lines: np.ndarray, context: tuple[Cast, np.random.Generator]) -> _Slot:
    """The next version of `kind` where one is planned, received after everything that `before` tells."""
    cast, rng = context
    count = len(kind)
    gap = 1 + (12 * rng.lognormal(0, 0.8, count)).astype(np.int64)
    received = np.maximum(before.adjudicated, before.paid) + gap
    likely_paid = np.where(before.status == DENIED, _PAID_ON_SECOND_TRY, 0.95)
    wanted = np.where(kind == REVERSAL, REVERSED, np.where(rng.random(count) < likely_paid, PAID, DENIED))
    slot = _decided(wanted, received, context)
    exists = before.exists & (kind != _NONE) & (before.adjudicated > 0) & (received <= cast.as_of)
    exists &= (kind != REVERSAL) | ((slot.status == REVERSED) & (before.status == PAID))
    dropped = (full_lines > 1) & (rng.random(count) < _LINE_DROPPED)
    lines = np.where(kind == REVERSAL, before.line_count, full_lines - dropped)
    return dataclasses.replace(slot, exists=exists, kind=kind, line_count=lines)


def _flat(slots: tuple[_Slot, ...], rng: np.random.Generator) -> Versions:
    exists = np.column_stack([slot.exists for slot in slots])
    column = {field.name: np.column_stack([getattr(slot, field.name) for slot in slots])[exists] for field in dataclasses.fields(_Slot)}
    claim, sequence = np.nonzero(exists)
    count = len(claim)
    follows = np.diff(claim, prepend=-1) == 0
    decided = column["adjudicated"] > 0
    return Versions(
        claim=claim,
        sequence=sequence,
        kind=column["kind"],
        status=column["status"],
        denial=column["denial"],
        received=column["received"],
        adjudicated=np.where(decided & (rng.random(count) < _DECISION_MISSING), 0, column["adjudicated"]),
        paid=column["paid"],
        line_count=column["line_count"],
        before=np.where(follows, np.arange(count) - 1, -1),
        note=rng.choice(len(NOTE_SHARES), count, p=np.array(NOTE_SHARES) / sum(NOTE_SHARES)),
        file=np.zeros(count, np.int64),
    )
