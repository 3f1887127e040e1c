"""Totals that the published tables must show, added up from the claims that were meant to be loaded.

In: batches with their current versions. Out: rows of integers and cents. Keeps fixed-size arrays; members and days to
adjudicate are kept only for samples that are small enough.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from medflow.generate.claims import month_of
from medflow.generate.current import Current
from medflow.generate.diagnoses import CONDITIONS, LISTED_CONDITIONS
from medflow.generate.payers import PAYERS
from medflow.generate.services import DENIALS
from medflow.generate.tables import (
    ALLOWED,
    BILLED,
    COINSURANCE,
    COPAY,
    DEDUCTIBLE,
    DENIED,
    PAID,
    PAID_OUT,
    PENDING,
    REJECTED,
    Batch,
)

MOST_CLAIMS_WITH_MEMBERS: Final = 1_000_000
RANKED_FROM_CLAIMS: Final = 30
STAGES: Final = ("submitted", "accepted", "adjudicated", "approved", "paid")
_MONTHLY: Final = (
    *("claim_count", "line_count", "billed_cents", "allowed_cents", "paid_cents", "member_responsibility_cents"),
    *("denied_claim_count", "adjudicated_claim_count"),
)
_CONDITION: Final = ("claim_count", "billed_cents", "allowed_cents", "paid_cents")
_PROVIDER: Final = ("claim_count", "billed_cents", "allowed_cents", "paid_cents", "adjudicated_claim_count", "denied_claim_count")
Rows = list[dict[str, Any]]


class GoldTotals:
    """Totals by month, payer and what the table is about."""

    def __init__(self, first_day: int, as_of: int, providers: int, with_members: bool) -> None:
        self._first_month, last_month = month_of(np.array([first_day, as_of])).tolist()
        months, years = last_month - self._first_month + 1, last_month // 12 - self._first_month // 12 + 1
        payers = len(PAYERS)
        self._monthly = np.zeros((months, payers, len(_MONTHLY)), np.int64)
        self._funnel = np.zeros((months, payers, len(STAGES), 2), np.int64)
        self._denials = np.zeros((months, payers, len(DENIALS), 2), np.int64)
        self._conditions = np.zeros((months, payers, LISTED_CONDITIONS, len(_CONDITION)), np.int64)
        self._provider_claims = np.zeros((providers, payers, years), np.int32)
        self._providers = np.zeros((payers, years, len(_PROVIDER)), np.int64)
        self._members: list[np.ndarray] | None = [] if with_members else None
        self._days: list[np.ndarray] = []

    def add(self, payer: int, batch: Batch, current: Current) -> None:
        """Count the current versions of a batch of one payer."""
        versions, claim = batch.versions, current.claim
        month = month_of(batch.claims.service_from[claim])
        status = versions.status[current.version]
        adjudicated = (status != PENDING) & (status != REJECTED)
        money, ones = current.amounts, np.ones(len(claim), np.int64)
        owed = money[:, DEDUCTIBLE] + money[:, COINSURANCE] + money[:, COPAY]
        paid_columns = (money[:, BILLED], money[:, ALLOWED], money[:, PAID_OUT])
        cell = month - self._first_month
        lines = versions.line_count[current.version]
        np.add.at(self._monthly[:, payer], cell, np.column_stack([ones, lines, *paid_columns, owed, status == DENIED, adjudicated]))
        self._add_denials(cell, payer, versions.denial[current.version], money[:, BILLED])
        self._add_conditions(cell, payer, batch.claims.condition[claim], np.column_stack([ones, *paid_columns]))
        measures = np.column_stack([ones, *paid_columns, adjudicated, status == DENIED])
        self._add_providers(month // 12 - self._first_month // 12, payer, batch.claims.provider[claim], measures)
        self._add_funnel(payer, batch, current)
        self._add_distinct(cell, payer, batch, current)

    def rows(self) -> dict[str, Any]:
        """The truth's `gold`: rows of each table, providers as totals by payer and year."""
        return {
            "claims_monthly_summary": self._monthly_rows(),
            "claims_approval_funnel": self._funnel_rows(),
            "denial_reasons": self._denial_rows(),
            "condition_costs": self._condition_rows(),
            "provider_performance": self._provider_rows(),
        }

    def _add_denials(self, cell: np.ndarray, payer: int, denial: np.ndarray, billed: np.ndarray) -> None:
        denied = denial >= 0
        np.add.at(self._denials[:, payer], (cell[denied], denial[denied]), np.column_stack([denied[denied], billed[denied]]))

    def _add_conditions(self, cell: np.ndarray, payer: int, condition: np.ndarray, measures: np.ndarray) -> None:
        listed = condition < LISTED_CONDITIONS
        np.add.at(self._conditions[:, payer], (cell[listed], condition[listed]), measures[listed])

    def _add_providers(self, year: np.ndarray, payer: int, provider: np.ndarray, measures: np.ndarray) -> None:
        np.add.at(self._provider_claims[:, payer], (provider, year), 1)
        np.add.at(self._providers[payer], year, measures)

    def _add_funnel(self, payer: int, batch: Batch, current: Current) -> None:
        versions, version = batch.versions, current.version
        status = versions.status[version]
        settled = (current.amounts[:, PAID_OUT] > 0) & (versions.paid[version] > 0)
        last = np.select([status == REJECTED, status == PENDING, status != PAID, settled], [0, 1, 2, 4], 3)
        cell = month_of(versions.received[version]) - self._first_month
        for stage in range(len(STAGES)):
            there = last >= stage
            np.add.at(self._funnel[:, payer, stage], cell[there], np.column_stack([there[there], current.amounts[there, BILLED]]))

    def _add_distinct(self, cell: np.ndarray, payer: int, batch: Batch, current: Current) -> None:
        if self._members is None:
            return
        condition, member = batch.claims.condition[current.claim], batch.claims.member[current.claim]
        place = cell * len(PAYERS) + payer
        listed = condition < LISTED_CONDITIONS
        self._members.append(_member_key(place, 0 * condition, member))
        self._members.append(_member_key(place[listed], 1 + condition[listed], member[listed]))
        received, adjudicated = (getattr(batch.versions, name)[current.version] for name in ("received", "adjudicated"))
        dated = adjudicated > 0
        self._days.append(np.column_stack([place[dated], (adjudicated - received)[dated]]))

    def _month(self, cell: int) -> str:
        month = self._first_month + cell
        return f"{1970 + month // 12:04d}-{month % 12 + 1:02d}-01"

    def _cells(self, totals: np.ndarray) -> list[tuple[int, ...]]:
        """Index tuples of the totals with at least one claim, in order."""
        return [tuple(cell) for cell in np.argwhere(totals[..., 0] > 0).tolist()]

    def _monthly_rows(self) -> Rows:
        members, medians = self._member_counts(), self._medians()
        rows = []
        for cell in self._cells(self._monthly):
            month, payer = cell
            row = self._keys(month, payer) | dict(zip(_MONTHLY, self._monthly[cell].tolist(), strict=True))
            if self._members is not None:
                place = month * len(PAYERS) + payer
                row |= {"member_count": members.get((place, 0), 0), "median_days_to_adjudicate": medians.get(place)}
            rows.append(row)
        return rows

    def _condition_rows(self) -> Rows:
        members = self._member_counts()
        rows = []
        for cell in self._cells(self._conditions):
            month, payer, condition = cell
            row = self._keys(month, payer) | dict(zip(_CONDITION, self._conditions[cell].tolist(), strict=True))
            row["condition"] = CONDITIONS[condition]
            if self._members is not None:
                row["member_count"] = members[month * len(PAYERS) + payer, 1 + condition]
            rows.append(row)
        return rows

    def _denial_rows(self) -> Rows:
        rows = []
        for cell in self._cells(self._denials):
            month, payer, denial = cell
            count, cents = self._denials[cell].tolist()
            group, code, _ = DENIALS[denial]
            rows.append(
                self._keys(month, payer) | {"denial_group": group, "denial_code": code, "claim_count": count, "denied_cents": cents}
            )
        return sorted(rows, key=lambda row: (row["service_month"], row["payer_id"], row["denial_group"], row["denial_code"]))

    def _funnel_rows(self) -> Rows:
        """All five stages of every month and payer that has a claim."""
        return [
            {"received_month": self._month(month), "payer_id": PAYERS[payer].name, "stage": name, "stage_order": stage + 1}
            | dict(zip(("claim_count", "billed_cents"), self._funnel[month, payer, stage].tolist(), strict=True))
            for month, payer in self._cells(self._funnel[:, :, 0])
            for stage, name in enumerate(STAGES)
        ]

    def _provider_rows(self) -> dict[str, dict[str, dict[str, int]]]:
        first_year = 1970 + self._first_month // 12
        result: dict[str, dict[str, dict[str, int]]] = {payer.name: {} for payer in PAYERS}
        for payer, year in self._cells(self._providers):
            claims = self._provider_claims[:, payer, year]
            result[PAYERS[payer].name][str(first_year + year)] = {
                "rows": int((claims > 0).sum()),
                "ranked_rows": int((claims >= RANKED_FROM_CLAIMS).sum()),
                **dict(zip(_PROVIDER, self._providers[payer, year].tolist(), strict=True)),
            }
        return result

    def _keys(self, month: int, payer: int) -> dict[str, Any]:
        return {"service_month": self._month(month), "payer_id": PAYERS[payer].name}

    def _member_counts(self) -> dict[tuple[int, int], int]:
        """(month and payer, 0 or 1 + condition) → distinct members."""
        keys = np.unique(np.concatenate(self._members)) if self._members else np.zeros(0, np.int64)
        places, counts = np.unique(keys >> 32, return_counts=True)
        return {divmod(place, LISTED_CONDITIONS + 1): count for place, count in zip(places.tolist(), counts.tolist(), strict=True)}

    def _medians(self) -> dict[int, float]:
        """Month and payer → interpolated median of days from received to adjudicated."""
        if not self._days:
            return {}
        place, days = np.concatenate(self._days).T
        order = np.argsort(place, kind="stable")
        places, starts = np.unique(place[order], return_index=True)
        parts = np.split(days[order], starts[1:])[: len(places)]
        return {key: float(np.median(part)) for key, part in zip(places.tolist(), parts, strict=True)}


def _member_key(place: np.ndarray, slot: np.ndarray, member: np.ndarray) -> np.ndarray:
    key: np.ndarray = ((place * (LISTED_CONDITIONS + 1) + slot) << 32) | member
    return key
