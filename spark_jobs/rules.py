"""The contract's rules compiled: lines in, judged lines out. One boolean a rule and column, in one pass over the lines.

A line in error takes the whole claim version in its file with it (`sibling`). A record whose version cannot be read takes
every version of its claim in that file. Nothing is dropped: every line is accepted, own error, or sibling. What is found is
kept apart from the lines, since most lines are sound: `flagged`, then `noted`, hold the others alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from medflow.specs.contract import Contract, Rule
from medflow.specs.knowledge_base import KnowledgeBase
from medflow.sql.functions import unfold
from medflow.sql.text import literal, power, same
from spark_jobs.lines import content_sql, header_values

_KEYS = "row_id, payer_id, file_id, record_number, claim_id, version_key, parse_error"
# Equal contents are equal in these.
_LIKENESS = "XXHASH64(lines.payer_id, lines.file_id, lines.member_id, lines.service_from, lines.billed_amount)"


@dataclass(frozen=True)
class Flag:
    """One rule on one column: a boolean SQL column while lines are checked, then a number in `found`."""

    rule: Rule
    column: str
    number: int

    @property
    def name(self) -> str:
        return f"f{self.number}"

    @property
    def is_found(self) -> str:
        return f"ARRAY_CONTAINS(found, {self.number})"


def rule_flags(contract: Contract) -> tuple[Flag, ...]:
    """Every rule on every of its columns, in the order of the file."""
    pairs = [(rule, column) for rule in contract.rules for column in rule.columns]
    return tuple(Flag(rule, column, number) for number, (rule, column) in enumerate(pairs))


def flagged_sql(knowledge_base: KnowledgeBase) -> str:
    """The lines of `lines` that a rule flags: their keys, `found` (the numbers of the flags) and `own_error`."""
    contract = knowledge_base.contract
    flags = rule_flags(contract)
    conditions = ", ".join(f"{_condition(flag, knowledge_base)} AS {flag.name}" for flag in flags)
    numbers = ", ".join(f"CASE WHEN {flag.name} THEN {flag.number} END" for flag in flags)
    return (
        f"WITH {_set_findings(contract)}, known AS (SELECT lines.*, "
        "COALESCE(diagnoses.unknown, 0) AS diagnoses_unknown, COALESCE(diagnoses.not_leaf, 0) AS diagnoses_not_leaf, "
        "headers.claim_id IS NOT NULL AS header_differs, doubles.claim_id IS NOT NULL AS version_differs, "
        "repeats.row_id IS NOT NULL AS content_repeats FROM lines "
        "LEFT JOIN diagnoses ON diagnoses.diagnosis_text = lines.diagnosis_text "
        f"LEFT JOIN headers ON {same('headers', 'lines', 'payer_id, file_id, claim_id, version_key')} "
        f"LEFT JOIN doubles ON {same('doubles', 'lines', 'payer_id, file_id, claim_id, version_key, line_number')} "
        "LEFT JOIN repeats ON repeats.row_id = lines.row_id), "
        f"checked AS (SELECT {_KEYS}, {conditions} FROM known) "
        f"SELECT {_KEYS}, FILTER(ARRAY({numbers}), f -> f IS NOT NULL) AS found, ({_any(flags, 'error')}) AS own_error "
        f"FROM checked WHERE {_any(flags, 'error')} OR {_any(flags, 'warn')}"
    )


def waived_versions_sql() -> str:
    """Claim versions of `lines` with a line that a person waived: no rule brings them back."""
    return (
        "SELECT DISTINCT lines.payer_id, lines.file_id, lines.claim_id, lines.version_key FROM lines "
        "INNER JOIN queue ON queue.row_id = lines.row_id WHERE queue.status = 'waived'"
    )


def noted_sql(*, with_waivers: bool = False) -> str:
    """The lines on which there is something to note: what was found on them, and the verdict: accepted (with warnings), own (an
    error of its own) or sibling (also of a waived line)."""
    taken_along = ["bad_versions", "bad_claims", *(["waived_versions"] if with_waivers else [])]
    is_sibling = " OR ".join(f"{name}.claim_id IS NOT NULL" for name in taken_along)
    waived = f"LEFT JOIN waived_versions ON {same('waived_versions', 'lines', 'payer_id, file_id, claim_id, version_key')} "
    return (
        "WITH bad_versions AS (SELECT DISTINCT payer_id, file_id, claim_id, version_key FROM flagged "
        "WHERE own_error AND claim_id IS NOT NULL AND version_key IS NOT NULL AND parse_error IS NULL), "
        "bad_claims AS (SELECT DISTINCT payer_id, file_id, claim_id FROM flagged "
        "WHERE own_error AND claim_id IS NOT NULL AND (version_key IS NULL OR parse_error IS NOT NULL)) "
        "SELECT lines.row_id, lines.payer_id, lines.file_id, lines.record_number, flagged.found, "
        f"CASE WHEN flagged.own_error THEN 'own' WHEN {is_sibling} THEN 'sibling' ELSE 'accepted' END AS verdict "
        "FROM lines LEFT JOIN flagged ON flagged.row_id = lines.row_id "
        f"LEFT JOIN bad_versions ON {same('bad_versions', 'lines', 'payer_id, file_id, claim_id, version_key')} "
        f"LEFT JOIN bad_claims ON {same('bad_claims', 'lines', 'payer_id, file_id, claim_id')} {waived if with_waivers else ''}"
        f"WHERE flagged.row_id IS NOT NULL OR {is_sibling}"
    )


def judged_sql() -> str:
    """Every line with `found` and `verdict`."""
    return (
        "SELECT lines.*, noted.found, COALESCE(noted.verdict, 'accepted') AS verdict "
        "FROM lines LEFT JOIN noted ON noted.row_id = lines.row_id"
    )


def accepted_sql(contract: Contract, batch_id: str) -> str:
    """The lines for claims_history, in its column order."""
    finals = [f"{column.final} AS {name}" if column.final else name for name, column in contract.columns.items()]
    return (
        f"SELECT payer_id, {', '.join(finals)}, {_warnings(contract)} AS quality_warnings, row_id, file_id, "
        f"'{batch_id}' AS batch_id FROM judged WHERE verdict = 'accepted'"
    )


def failed_sql(contract: Contract) -> str:
    """The lines for claims_quarantined: identity and errors, without the record's text."""
    flags = [flag for flag in rule_flags(contract) if flag.rule.severity == "error"]
    structs = [f"CASE WHEN {flag.is_found} THEN {_error(flag.rule.id, flag.column, flag.rule.told(flag.column))} END" for flag in flags]
    sibling = _error(contract.sibling_rule.id, "record", contract.sibling_rule.message)
    return (
        "SELECT row_id, payer_id, file_id, record_number, CASE WHEN verdict = 'sibling' "
        f"THEN ARRAY({sibling}) ELSE FILTER(ARRAY({', '.join(structs)}), e -> e IS NOT NULL) END AS errors "
        "FROM noted WHERE verdict <> 'accepted'"
    )


def rule_counts_sql(contract: Contract) -> str:
    """One row a payer: lines, median billed, own errors, siblings, then lines failing each rule, in the contract's order."""
    by_rule: dict[str, list[str]] = {}
    for flag in rule_flags(contract):
        by_rule.setdefault(flag.rule.id, []).append(flag.is_found)
    counted = {"own_errors": "verdict = 'own'", "siblings": "verdict = 'sibling'"}
    counted |= {f"r_{rule}": " OR ".join(conditions) for rule, conditions in by_rule.items()}
    counts = ", ".join(f"COUNT_IF({condition}) AS {name}" for name, condition in counted.items())
    return (
        "SELECT totals.payer_id, totals.line_count, totals.median_billed, "
        f"{', '.join(f'COALESCE(counts.{name}, 0) AS {name}' for name in counted)} "
        "FROM (SELECT payer_id, COUNT(*) AS line_count, MEDIAN(CAST(billed_amount AS DOUBLE)) AS median_billed "
        f"FROM lines GROUP BY payer_id) AS totals LEFT JOIN (SELECT payer_id, {counts} FROM noted GROUP BY payer_id) AS counts "
        "ON counts.payer_id = totals.payer_id ORDER BY totals.payer_id"
    )


def _set_findings(contract: Contract) -> str:
    """What only several lines of a file tell: `diagnoses` a list of codes, `headers` a version, `doubles` a line, `repeats` a row."""
    content = content_sql(contract, "lines")
    versions = "payer_id, file_id, claim_id, version_key"
    keyed = "parse_error IS NULL AND claim_id IS NOT NULL AND version_key IS NOT NULL"
    headers = {f"h{number}": sql for number, sql in enumerate(header_values(contract))}
    shared = ", ".join(f"{sql} AS {name}" for name, sql in headers.items())
    unreadable = " OR ".join(f"{name}__bad" for name in contract.header_columns)
    bit = power("line_number")
    return (
        "lists AS (SELECT DISTINCT diagnosis_text FROM lines WHERE diagnosis_text <> ''), "
        "listed AS (SELECT diagnosis_text, EXPLODE(SPLIT(diagnosis_text, ',')) AS code FROM lists), "
        "diagnoses AS (SELECT listed.diagnosis_text, COUNT_IF(icd10cm.code IS NULL) AS unknown, COUNT_IF(icd10cm.leaf = 0) AS not_leaf "
        "FROM listed LEFT JOIN icd10cm ON icd10cm.code = listed.code GROUP BY listed.diagnosis_text), "
        # A version in rows of what its lines share: mostly one, more where they differ.
        f"shared AS (SELECT {versions}, NOT ({unreadable}) AS is_read, {shared}, COUNT(line_number) AS numbered, COUNT({bit}) AS told, "
        f"SUM({bit}) AS bits, BIT_OR({bit}) AS different_bits FROM lines WHERE {keyed} "
        f"GROUP BY {versions}, is_read, {', '.join(headers)}), "
        f"drawn AS (SELECT {versions}, COUNT_IF(is_read) > 1 AS header_differs, "
        "SUM(told) < SUM(numbered) OR SUM(bits) <> BIT_OR(different_bits) AS may_repeat "
        f"FROM shared GROUP BY {versions}), "
        f"headers AS (SELECT {versions} FROM drawn WHERE header_differs), "
        "doubles AS (SELECT lines.payer_id, lines.file_id, lines.claim_id, lines.version_key, lines.line_number FROM lines "
        f"INNER JOIN drawn ON {same('drawn', 'lines', versions)} WHERE drawn.may_repeat "
        "GROUP BY lines.payer_id, lines.file_id, lines.claim_id, lines.version_key, lines.line_number "
        f"HAVING MIN({content}) <> MAX({content})), "
        # Whole contents are compared only where a hash of a few telling values is alike under two claim ids.
        f"alike AS (SELECT {_LIKENESS} AS likeness FROM lines WHERE parse_error IS NULL "
        f"GROUP BY {_LIKENESS} HAVING MIN(claim_id) <> MAX(claim_id)), "
        f"suspects AS (SELECT lines.payer_id, lines.file_id, lines.row_id, lines.claim_id, {content} AS content FROM lines "
        f"INNER JOIN alike ON alike.likeness = {_LIKENESS} WHERE parse_error IS NULL), "
        "repeated AS (SELECT payer_id, file_id, content FROM suspects GROUP BY payer_id, file_id, content "
        "HAVING MIN(claim_id) <> MAX(claim_id)), "
        "repeats AS (SELECT suspects.row_id FROM suspects "
        f"INNER JOIN repeated ON {same('repeated', 'suspects', 'payer_id, file_id, content')})"
    )


def _any(flags: tuple[Flag, ...], severity: str) -> str:
    return " OR ".join([flag.name for flag in flags if flag.rule.severity == severity] or ["FALSE"])


def _condition(flag: Flag, knowledge_base: KnowledgeBase) -> str:
    tree = unfold(sqlglot.parse_one(flag.rule.condition(flag.column), read="spark", into=exp.Condition), knowledge_base.codes)
    condition = tree.sql("spark")
    if flag.column == "record" and "parse_error" in flag.rule.fails_when:
        return f"({condition})"
    if flag.rule.only_fed:
        fed = ", ".join(f"'{payer}'" for payer, layout in knowledge_base.payers.items() if flag.column in layout.fed)
        condition = f"payer_id IN ({fed}) AND ({condition})" if fed else "FALSE"
    return f"COALESCE(parse_error IS NULL AND ({condition}), FALSE)"


def _warnings(contract: Contract) -> str:
    flags = [flag for flag in rule_flags(contract) if flag.rule.severity == "warn"]
    named = ", ".join(f"CASE WHEN {flag.is_found} THEN '{flag.rule.id}' END" for flag in flags)
    nothing = "CAST(ARRAY() AS ARRAY<STRING>)"
    return f"CASE WHEN found IS NULL THEN {nothing} ELSE FILTER(ARRAY({named}), w -> w IS NOT NULL) END" if flags else nothing


def _error(rule: str, column: str, message: str) -> str:
    return f"NAMED_STRUCT('rule_id', {literal(rule)}, 'column', {literal(column)}, 'message', {literal(message)})"
