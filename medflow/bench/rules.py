"""The silver rules written out by hand, as a program without declarations would hold them: what both plain ways check.

Conditions are SQL that DuckDB and Spark read alike, over a line's typed columns, a `<column>_bad` flag where text did not
read, and a few facts that each way works out its own fashion (`npi_wrong`, `dx_unknown`, `procedure_wrong`, ...).
"""

from __future__ import annotations

from typing import NamedTuple

DATES = ("service_from", "service_to", "received_date", "adjudicated_date", "paid_date")
MONEY = (
    "billed_amount",
    "allowed_amount",
    "paid_amount",
    "deductible_amount",
    "coinsurance_amount",
    "copay_amount",
    "other_payer_amount",
)
NUMBERS = ("line_number", "version_key", "birth_year", "units")
# What the rules ask for with `_bad`: filled, but not read.
READ = (*NUMBERS, *DATES, *MONEY, "version_kind", "sex")
# Unless all of these read, a line is not compared with the others of its claim.
HEADER_BAD = (*(f"{name}_bad" for name in ("birth_year", "sex", "received_date", "adjudicated_date", "paid_date")), "denial_bad")
COLUMNS = (
    *("claim_id", "line_number", "version_key", "version_kind", "member_id", "birth_year", "sex", "plan_code", "billing_npi"),
    *("rendering_npi", "place_of_service", "principal_diagnosis", "diagnosis_codes", "procedure_code", "modifiers", "units"),
    *DATES,
    *MONEY,
    *("claim_status", "denial_group", "denial_code"),
)
AGE_BANDS = ((18, "0-17"), (35, "18-34"), (50, "35-49"), (65, "50-64"), (75, "65-74"), (85, "75-84"))

_DECIDED = "claim_status IN ('paid', 'denied', 'reversed')"
_OPEN = "claim_status IN ('pending', 'rejected')"
_DENIAL_AMISS = (
    "CASE WHEN claim_status = 'denied' THEN denial_code IS NULL OR denial_group IS NULL "
    "ELSE denial_code IS NOT NULL OR denial_group IS NOT NULL END"
)
_OUT_OF_ORDER = (
    "service_from > service_to OR service_from > received_date OR service_to > received_date "
    "OR received_date > adjudicated_date OR adjudicated_date > paid_date OR received_date > paid_date"
)
_AMOUNTS_OUT_OF_ORDER = (
    "CASE WHEN claim_status = 'reversed' THEN 0 < paid_amount OR paid_amount < allowed_amount OR allowed_amount < billed_amount "
    "OR paid_amount < billed_amount WHEN claim_status IN ('paid', 'denied') THEN 0 > paid_amount OR paid_amount > allowed_amount "
    "OR allowed_amount > billed_amount OR paid_amount > billed_amount END"
)
_SHARED_OUT = "paid_amount + deductible_amount + coinsurance_amount + copay_amount + other_payer_amount"


class Check(NamedTuple):
    """One rule on one column: the condition is true where the line fails."""

    rule: str
    column: str
    message: str
    condition: str


def line_errors() -> list[Check]:
    """Errors that one line shows by itself, in the order in which they are told."""
    dates_not_future = f"GREATEST({', '.join(DATES)}) > ingest_date"
    return [
        Check("key_present", "claim_id", "claim_id is blank", "claim_id IS NULL"),
        Check("key_present", "line_number", "line_number is blank", "line_number IS NULL AND NOT line_number_bad"),
        Check("key_present", "member_id", "member_id is blank", "member_id IS NULL"),
        Check(
            "version_present",
            "version_key",
            "the version of the claim is blank",
            "version_key IS NULL AND NOT version_key_bad AND received_date IS NOT NULL",
        ),
        *(Check("number_format", c, f"{c} is not a whole number", f"{c}_bad") for c in NUMBERS),
        *(Check("date_format", c, f"{c} is not a date of the declared shape", f"{c}_bad") for c in DATES),
        *(Check("amount_format", c, f"{c} is not an amount of the declared shape", f"{c}_bad") for c in MONEY),
        *(Check("date_present", c, f"{c} is blank", f"{c} IS NULL AND NOT {c}_bad") for c in ("service_from", "received_date")),
        *(Check("npi_check", c, f"{c} is not 10 digits with a right check digit", f"{c}_wrong") for c in ("rendering_npi", "billing_npi")),
        Check("rendering_npi_present", "rendering_npi", "rendering_npi is blank", "rendering_npi_blank"),
        Check("diagnosis_present", "principal_diagnosis", "the principal diagnosis is blank", "dx_blank"),
        Check("diagnosis_known", "diagnosis_codes", "a diagnosis is not an ICD-10-CM code", "dx_unknown"),
        Check("procedure_shape", "procedure_code", "procedure_code has not the shape of a CPT or HCPCS code", "procedure_wrong"),
        Check("place_of_service_known", "place_of_service", "place_of_service is not in the CMS list", "place_unknown"),
        Check("status_known", "claim_status", "claim_status is blank or not in the payer's code map", "claim_status IS NULL"),
        Check(
            "version_kind_known",
            "version_kind",
            "the kind of version is blank or not in the payer's code map",
            "version_kind_bad OR (version_kind IS NULL AND claim_status IS NOT NULL AND version_key IS NOT NULL)",
        ),
        Check(
            "reversal_consistent",
            "claim_status",
            "status and kind of version disagree on whether this is a reversal",
            "(claim_status = 'reversed') <> (version_kind = 'reversal')",
        ),
        Check(
            "denial_code_when_denied",
            "denial_code",
            "a denial group and code stand exactly on denied claims",
            f"NOT denial_bad AND {_DENIAL_AMISS}",
        ),
        Check(
            "denial_code_format",
            "denial_code",
            "the denial is not a group (CO, PR, OA, PI) and a code",
            "denial_bad OR NOT denial_group IN ('CO', 'PR', 'OA', 'PI')",
        ),
        Check(
            "dates_in_order",
            "service_from",
            "service_from, service_to, received, adjudicated and paid dates are not in this order",
            _OUT_OF_ORDER,
        ),
        Check("dates_not_future", "received_date", "a date lies after the day the file was first seen", dates_not_future),
        *_amount_errors(),
        Check("units_range", "units", "units are not 1 to 999", "units < 1 OR units > 999"),
    ]


def line_warnings() -> list[Check]:
    """Warnings that one line shows by itself, in the order in which they are told."""
    undated = f"{_DECIDED} AND adjudicated_date IS NULL AND NOT adjudicated_date_bad"
    return [
        Check("diagnosis_not_leaf", "diagnosis_codes", "", "dx_not_leaf"),
        Check("procedure_missing", "procedure_code", "", "procedure_code IS NULL"),
        Check("sex_known", "sex", "", "sex_bad"),
        Check("decision_date_present", "adjudicated_date", "", undated),
    ]


DAMAGED = Check("row_width", "record", "the record has the wrong number of fields or no filled line", "damaged")
HEADER_DIFFERS = Check("header_facts_equal", "record", "facts of the whole claim differ between its lines in this file", "header_differs")
VERSION_DIFFERS = Check("version_conflict", "record", "this file has the line twice with different content", "version_differs")
SIBLING = Check("claim_incomplete", "record", "another line of this claim version is in error", "")


def _amount_errors() -> list[Check]:
    given = " OR ".join(f"COALESCE({name}, 0) <> 0" for name in MONEY[1:])
    not_above = "CASE WHEN claim_status = 'reversed' THEN billed_amount >= 0 ELSE billed_amount <= 0 END"
    return [
        Check(
            "billed_positive",
            "billed_amount",
            "billed_amount is above zero, and below zero on a reversal",
            f"(billed_amount IS NULL AND NOT billed_amount_bad) OR {not_above}",
        ),
        *(
            Check("amounts_present", c, f"{c} is blank on a decided claim", f"{_DECIDED} AND {c} IS NULL AND NOT {c}_bad")
            for c in MONEY[1:]
        ),
        Check(
            "amounts_in_order",
            "paid_amount",
            "paid, allowed and billed amounts are not in this order, or one has the wrong sign",
            _AMOUNTS_OUT_OF_ORDER,
        ),
        Check(
            "amounts_balance",
            "allowed_amount",
            "allowed_amount is not paid + deductible + coinsurance + copay + other payer",
            f"{_DECIDED} AND ABS(allowed_amount - ({_SHARED_OUT})) > 0.01",
        ),
        Check(
            "denied_amounts_zero",
            "allowed_amount",
            "a denied claim has an allowed or a paid amount",
            "claim_status = 'denied' AND (allowed_amount <> 0 OR paid_amount <> 0)",
        ),
        Check("undecided_amounts_absent", "allowed_amount", "a pending or rejected claim has payer amounts", f"{_OPEN} AND ({given})"),
    ]


def error_sql(check: Check) -> str:
    """One entry of the errors array, in Spark SQL."""
    return f"NAMED_STRUCT('rule_id', '{check.rule}', 'column', '{check.column}', 'message', \"{check.message}\")"
