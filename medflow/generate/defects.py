"""The ways in which a line can be wrong, each with exactly the rules that it then fails.

In: a draft and a version. Out: changed cells and noted errors. Rule ids are those of the silver contract; nothing here
reads it, so that the pipeline is held against what was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from medflow.generate.diagnoses import UNKNOWN
from medflow.generate.draft import Draft
from medflow.generate.layouts.base import AMOUNT_NAMES
from medflow.generate.services import UNKNOWN_PLACES
from medflow.generate.tables import ALLOWED, DEDUCTIBLE, DENIED, PAID, PAID_OUT, PENDING, REJECTED, REVERSED, Batch

Edits = dict[str, str | int]
ANY: Final = frozenset({PAID, DENIED, PENDING, REJECTED, REVERSED})
POSITIVE: Final = ANY - {REVERSED}
DECIDED: Final = frozenset({PAID, DENIED})
OPEN: Final = frozenset({PENDING, REJECTED})
EVERYWHERE: Final = frozenset({"bluecross", "aetna", "unitedhealth"})
BY_LINE: Final = EVERYWHERE - {"aetna"}
UNITED: Final = frozenset({"unitedhealth"})
_FAR_DAY: Final = 766_644  # 2099-12-31


@dataclass(frozen=True)
class Target:
    """The line to be spoiled, and a drawn number to choose with."""

    draft: Draft
    version: int
    line: int
    draw: int

    def choose(self, texts: tuple[str, ...]) -> str:
        return texts[self.draw // 7 % len(texts)]

    def cents(self, amount: int) -> int:
        return int(self.draft.batch.lines.amounts[self.line, amount])

    def day(self, ordinal: int) -> str:
        return self.draft.layout.day(ordinal)

    def adjudicated(self) -> int:
        return int(self.draft.batch.versions.adjudicated[self.version])


@dataclass(frozen=True)
class Defect:
    """One way to be wrong.

    `fact`: whose cells change (`record` = the record as a whole). `change` gives new cells, or acts and gives the lines
    that fail. `whole`: the same on all lines of the version, for
    facts of the header. `spreads`: changed on one line, failing all. `unread`: the new value does not parse. `blanks`:
    there is no new value. `untold_at`: payers where the version of the claim can then not be told. `tolerant`: leaves
    every fact alone that a warning may rest on.
    """

    rules: tuple[str, ...]
    fact: str
    change: Callable[[Target], Edits | range]
    statuses: frozenset[int] = ANY
    payers: frozenset[str] = EVERYWHERE
    needs: Callable[[Batch], np.ndarray] | None = None
    whole: bool = False
    spreads: bool = False
    unread: bool = False
    blanks: bool = False
    tolerant: bool = False
    untold_at: frozenset[str] = frozenset()

    def eligible(self, batch: Batch) -> np.ndarray:
        """Of each version: whether it can have this defect and no other rule fails with it."""
        fits = np.isin(batch.versions.status, list(self.statuses))
        return fits if self.needs is None else fits & self.needs(batch)

    def apply(self, target: Target) -> range:
        """Spoil the target; returns the line rows that fail."""
        draft = target.draft
        change = self.change(target)
        failing = change if isinstance(change, range) else self._edit(target, change)
        draft.fail(failing, self.rules)
        if draft.layout.payer in self.untold_at:
            draft.untold.add(target.version)
        return failing

    def _edit(self, target: Target, edits: Edits) -> range:
        lines, one = target.draft.lines_of(target.version), range(target.line, target.line + 1)
        for line in lines if self.whole else one:
            target.draft.put(line, edits)
        return lines if self.whole or self.spreads or target.draft.layout.shared(self.fact) else one


def _blank(fact: str) -> Callable[[Target], Edits]:
    return lambda _: {fact: ""}


def _text(fact: str, *texts: str) -> Callable[[Target], Edits]:
    return lambda target: {fact: target.choose(texts)}


def _bad_day(fact: str) -> Callable[[Target], Edits]:
    return lambda target: {fact: target.choose(target.draft.layout.bad_days)}


def _bad_money(fact: str) -> Callable[[Target], Edits]:
    return lambda target: {fact: target.choose(target.draft.layout.bad_money)}


def _wrong_check_digit(fact: str) -> Callable[[Target], Edits]:
    def edit(target: Target) -> Edits:
        column = target.draft.layout.cells(fact, 1)[0]
        npi = target.draft.columns[column][target.draft.record_of(target.line)]
        return {fact: npi[:-1] + str((int(npi[-1]) + 1 + target.draw % 8) % 10)}

    return edit


def _swapped_days(target: Target) -> Edits:
    return {"service_to": target.day(int(target.draft.batch.lines.first_day[target.line]) - 1 - target.draw % 5)}


def _received_too_soon(target: Target) -> Edits:
    claim = target.draft.batch.versions.claim[target.version]
    return {"received_date": target.day(int(target.draft.batch.claims.service_from[claim]) - 1 - target.draw % 5)}


def _paid_below_zero(target: Target) -> Edits:
    """The deductible takes up the difference, so that the amounts still add up."""
    less = 100 + target.draw % 900
    return {"paid_amount": -less, "deductible_amount": target.cents(DEDUCTIBLE) + target.cents(PAID_OUT) + less}


def _other_member(target: Target) -> Edits:
    member = int(target.draft.batch.claims.member[target.draft.batch.versions.claim[target.version]])
    return {"member_id": f"M{member + 1 + target.draw % 1000:08d}"}


def _resize(target: Target) -> range:
    record = target.draft.record_of(target.line)
    target.draft.resize(record, spare=target.draw % 2 == 0)
    return target.draft.lines_in(record)[:1]


def _contradict_units(target: Target) -> range:
    draft = target.draft
    copy = draft.copy(draft.record_of(target.line))
    draft.put(target.line, {"units": str(int(draft.batch.lines.units[target.line]) + 1)}, copy)
    return range(target.line, target.line + 1)


def _contradict_plan(target: Target) -> range:
    draft = target.draft
    copy = draft.copy(draft.record_of(target.line))
    draft.put(target.line, {"plan_code": "PPO-Z"}, copy)
    return draft.lines_of(target.version)


def _several_lines(batch: Batch) -> np.ndarray:
    several: np.ndarray = batch.versions.line_count > 1
    return several


def _bills(batch: Batch) -> np.ndarray:
    bills: np.ndarray = batch.claims.bills[batch.versions.claim]
    return bills


def _paid_out(batch: Batch) -> np.ndarray:
    return _adjudicated(batch) & (batch.versions.paid > 0)


def _adjudicated(batch: Batch) -> np.ndarray:
    adjudicated: np.ndarray = batch.versions.adjudicated > 0
    return adjudicated


DEFECTS: Final = (
    Defect(("row_width",), "record", _resize),
    Defect(("key_present",), "member_id", _blank("member_id"), whole=True, blanks=True, tolerant=True),
    Defect(("key_present",), "line_number", _blank("line_number"), payers=BY_LINE, blanks=True, tolerant=True),
    Defect(("version_present",), "version", _blank("version"), payers=BY_LINE, blanks=True, untold_at=BY_LINE),
    Defect(("number_format",), "line_number", _text("line_number", "L1", "1.0", "one"), payers=BY_LINE, unread=True),
    Defect(("number_format",), "birth_year", _text("birth_year", "19X4", "'71", "n/a"), whole=True, unread=True, tolerant=True),
    Defect(("number_format",), "units", _text("units", "1.5", "two", "3x"), unread=True, tolerant=True),
    Defect(("date_format",), "service_from", _bad_day("service_from"), unread=True),
    Defect(("date_format",), "service_to", _bad_day("service_to"), unread=True),
    Defect(("date_format",), "received_date", _bad_day("received_date"), whole=True, unread=True, untold_at=UNITED),
    Defect(("date_format",), "adjudicated_date", _bad_day("adjudicated_date"), whole=True, unread=True, needs=_adjudicated),
    Defect(("date_format",), "paid_date", _bad_day("paid_date"), whole=True, unread=True, needs=_paid_out),
    Defect(("amount_format",), "billed_amount", _bad_money("billed_amount"), statuses=POSITIVE, unread=True),
    *(Defect(("amount_format",), name, _bad_money(name), statuses=DECIDED, unread=True) for name in AMOUNT_NAMES[1:]),
    Defect(("date_present",), "service_from", _blank("service_from"), blanks=True),
    Defect(("date_present",), "received_date", _blank("received_date"), whole=True, blanks=True, untold_at=UNITED),
    Defect(("npi_check",), "rendering_npi", _wrong_check_digit("rendering_npi"), whole=True, tolerant=True),
    Defect(("npi_check",), "billing_npi", _wrong_check_digit("billing_npi"), payers=BY_LINE, needs=_bills, whole=True),
    Defect(("rendering_npi_present",), "rendering_npi", _blank("rendering_npi"), whole=True, blanks=True),
    Defect(("diagnosis_present",), "diagnoses", _blank("diagnoses"), whole=True, blanks=True),
    Defect(("diagnosis_known",), "principal", _text("principal", *UNKNOWN), whole=True, unread=True),
    Defect(("diagnosis_known",), "qualifier", _text("qualifier", "ABX", "BK"), payers=UNITED, whole=True, unread=True),
    Defect(("procedure_shape",), "procedure_code", _text("procedure_code", "9921", "g0439", "ABCDE", "992134")),
    Defect(("place_of_service_known",), "place_of_service", _text("place_of_service", *UNKNOWN_PLACES), tolerant=True),
    Defect(("status_known",), "claim_status", _text("claim_status", "Z", "OK", "77"), statuses=OPEN | {PAID}, whole=True, unread=True),
    Defect(("status_known",), "claim_status", _blank("claim_status"), statuses=OPEN | {PAID}, whole=True, blanks=True),
    Defect(("version_kind_known",), "version_kind", _text("version_kind", "9", "R", "01"), payers=UNITED, unread=True),
    Defect(("version_kind_known",), "version_kind", _blank("version_kind"), payers=UNITED, blanks=True),
    Defect(("reversal_consistent",), "version_kind", _text("version_kind", "8"), statuses=POSITIVE, payers=UNITED),
    Defect(("reversal_consistent",), "version_kind", _text("version_kind", "7"), statuses=frozenset({REVERSED}), payers=UNITED),
    Defect(("denial_code_when_denied",), "denial", _blank("denial"), statuses=frozenset({DENIED}), whole=True, blanks=True),
    Defect(("denial_code_when_denied",), "denial", _text("denial", "CO-97", "PR-96"), statuses=frozenset({PAID}), whole=True),
    Defect(
        ("denial_code_format",),
        "denial",
        _text("denial", "XX-97", "co-16"),
        statuses=frozenset({DENIED}),
        whole=True,
        unread=True,
    ),
    Defect(("dates_in_order",), "service_to", _swapped_days),
    Defect(("dates_in_order",), "received_date", _received_too_soon, whole=True),
    Defect(
        ("dates_in_order",),
        "paid_date",
        lambda target: {"paid_date": target.day(target.adjudicated() - 1)},
        statuses=frozenset({PAID}),
        needs=_paid_out,
        whole=True,
    ),
    Defect(
        ("dates_not_future",),
        "paid_date",
        lambda target: {"paid_date": target.day(_FAR_DAY - target.draw % 300)},
        statuses=frozenset({PAID}),
        needs=_paid_out,
        whole=True,
    ),
    Defect(("billed_positive",), "billed_amount", _blank("billed_amount"), statuses=POSITIVE, blanks=True),
    Defect(("billed_positive",), "billed_amount", lambda _: {"billed_amount": 0}, statuses=OPEN | {DENIED}),
    *(Defect(("amounts_present",), name, _blank(name), statuses=DECIDED, blanks=True) for name in AMOUNT_NAMES[1:]),
    Defect(
        ("amounts_in_order",),
        "billed_amount",
        lambda target: {"billed_amount": target.cents(ALLOWED) // 2},
        statuses=frozenset({PAID}),
    ),
    Defect(("amounts_in_order",), "paid_amount", _paid_below_zero, statuses=frozenset({PAID})),
    Defect(
        ("amounts_balance",),
        "deductible_amount",
        lambda target: {"deductible_amount": target.cents(DEDUCTIBLE) + 100 + target.draw % 900},
        statuses=frozenset({PAID}),
        tolerant=True,
    ),
    Defect(
        ("denied_amounts_zero",),
        "allowed_amount",
        lambda _: {"allowed_amount": 200, "deductible_amount": 200},
        statuses=frozenset({DENIED}),
    ),
    Defect(("undecided_amounts_absent",), "allowed_amount", lambda _: {"allowed_amount": 300, "copay_amount": 300}, statuses=OPEN),
    Defect(("units_range",), "units", _text("units", "0", "1000", "5000"), tolerant=True),
    Defect(("header_facts_equal",), "plan_code", _text("plan_code", "PPO-Z"), payers=BY_LINE, needs=_several_lines, spreads=True),
    Defect(("header_facts_equal",), "member_id", _other_member, payers=BY_LINE, needs=_several_lines, spreads=True),
    Defect(("header_facts_equal", "version_conflict"), "plan_code", _contradict_plan, payers=frozenset({"aetna"})),
    Defect(("version_conflict",), "record", _contradict_units),
)
ERROR_RULES: Final = tuple(sorted({rule for defect in DEFECTS for rule in defect.rules}))
