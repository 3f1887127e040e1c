"""The contract's rules compiled: lines in, judged lines out. One boolean column a rule and column, in one pass.

A line in error takes the whole claim version in its file with it (`sibling`). A record whose version cannot be read takes
every version of its claim in that file. Nothing is dropped: every line is accepted, own error, or sibling.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from medflow.specs.contract import Contract, Rule
from medflow.specs.knowledge_base import KnowledgeBase
from medflow.sql.functions import unfold
from medflow.sql.text import literal, same
from spark_jobs.lines import IDENTITY, content_sql

# Equal contents are equal in these; written so that a blank equals a blank.
_LIKENESS = (
    "COALESCE(lines.member_id, '')",
    "COALESCE(lines.service_from, DATE '1900-01-01')",
    "COALESCE(lines.billed_amount, 0)",
)


@dataclass(frozen=True)
class Flag:
    """One rule on one column, as a boolean SQL column."""

    rule: Rule
    column: str
    number: int

    @property
    def name(self) -> str:
        return f"f{self.number}"


def rule_flags(contract: Contract) -> tuple[Flag, ...]:
    """Every rule on every of its columns, in the order of the file."""
    pairs = [(rule, column) for rule in contract.rules for column in rule.columns]
    return tuple(Flag(rule, column, number) for number, (rule, column) in enumerate(pairs))


def checked_sql(knowledge_base: KnowledgeBase) -> str:
    """`lines` with one boolean a flag and `own_error`."""
    contract = knowledge_base.contract
    flags = rule_flags(contract)
    conditions = ", ".join(f"{_condition(flag, knowledge_base)} AS {flag.name}" for flag in flags)
    errors = " OR ".join(flag.name for flag in flags if flag.rule.severity == "error")
    return (
        f"WITH {_set_findings(contract)}, found AS (SELECT lines.*, "
        "COALESCE(diagnoses.unknown, 0) AS diagnoses_unknown, COALESCE(diagnoses.not_leaf, 0) AS diagnoses_not_leaf, "
        "headers.claim_id IS NOT NULL AS header_differs, doubles.claim_id IS NOT NULL AS version_differs, "
        "repeats.row_id IS NOT NULL AS content_repeats FROM lines "
        "LEFT JOIN diagnoses ON diagnoses.diagnosis_text = lines.diagnosis_text "
        f"LEFT JOIN headers ON {same('headers', 'lines', 'payer_id, file_id, claim_id, version_key')} "
        f"LEFT JOIN doubles ON {same('doubles', 'lines', 'payer_id, file_id, claim_id, version_key, line_number')} "
        "LEFT JOIN repeats ON repeats.row_id = lines.row_id), "
        f"flagged AS (SELECT {', '.join(_kept(contract))}, {conditions} FROM found) "
        f"SELECT flagged.*, {errors} AS own_error FROM flagged"
    )


def waived_versions_sql() -> str:
    """Claim versions of `checked` with a line that a person waived: no rule brings them back."""
    return (
        "SELECT DISTINCT checked.payer_id, checked.file_id, checked.claim_id, checked.version_key FROM checked "
        "INNER JOIN queue ON queue.row_id = checked.row_id WHERE queue.status = 'waived'"
    )


def judged_sql(*, with_waivers: bool = False) -> str:
    """`checked` with `verdict`: accepted, own (an error of its own) or sibling (also of a waived line)."""
    waived = f"LEFT JOIN waived_versions ON {same('waived_versions', 'checked', 'payer_id, file_id, claim_id, version_key')} "
    is_waived = "OR waived_versions.claim_id IS NOT NULL "
    return (
        "WITH bad_versions AS (SELECT DISTINCT payer_id, file_id, claim_id, version_key FROM checked "
        "WHERE own_error AND claim_id IS NOT NULL AND version_key IS NOT NULL AND parse_error IS NULL), "
        "bad_claims AS (SELECT DISTINCT payer_id, file_id, claim_id FROM checked "
        "WHERE own_error AND claim_id IS NOT NULL AND (version_key IS NULL OR parse_error IS NOT NULL)) "
        "SELECT checked.*, CASE WHEN own_error THEN 'own' "
        f"WHEN bad_versions.claim_id IS NOT NULL OR bad_claims.claim_id IS NOT NULL {is_waived if with_waivers else ''}"
        "THEN 'sibling' ELSE 'accepted' END AS verdict "
        f"FROM checked LEFT JOIN bad_versions ON {same('bad_versions', 'checked', 'payer_id, file_id, claim_id, version_key')} "
        f"{waived if with_waivers else ''}"
        f"LEFT JOIN bad_claims ON {same('bad_claims', 'checked', 'payer_id, file_id, claim_id')}"
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
    structs = [f"CASE WHEN {flag.name} THEN {_error(flag.rule.id, flag.column, flag.rule.told(flag.column))} END" for flag in flags]
    sibling = _error(contract.sibling_rule.id, "record", contract.sibling_rule.message)
    return (
        "SELECT row_id, payer_id, file_id, record_number, CASE WHEN verdict = 'sibling' "
        f"THEN ARRAY({sibling}) ELSE FILTER(ARRAY({', '.join(structs)}), e -> e IS NOT NULL) END AS errors "
        "FROM judged WHERE verdict <> 'accepted'"
    )


def rule_counts_sql(contract: Contract) -> str:
    """One row a payer: lines, own errors, siblings, median billed, then lines failing each rule, in the contract's order."""
    by_rule: dict[str, list[str]] = {}
    for flag in rule_flags(contract):
        by_rule.setdefault(flag.rule.id, []).append(flag.name)
    counts = ", ".join(f"COUNT_IF({' OR '.join(names)}) AS r_{rule}" for rule, names in by_rule.items())
    return (
        "SELECT payer_id, COUNT(*) AS line_count, COUNT_IF(verdict = 'own') AS own_errors, COUNT_IF(verdict = 'sibling') AS siblings, "
        f"MEDIAN(CAST(billed_amount AS DOUBLE)) AS median_billed, {counts} FROM judged GROUP BY payer_id ORDER BY payer_id"
    )


def _set_findings(contract: Contract) -> str:
    content = content_sql(contract, "lines")
    likeness = ("lines.payer_id", "lines.file_id", *_LIKENESS)
    versions = "payer_id, file_id, claim_id, version_key"
    keyed = "parse_error IS NULL AND claim_id IS NOT NULL AND version_key IS NOT NULL"
    return (
        "lists AS (SELECT DISTINCT diagnosis_text FROM lines WHERE diagnosis_text <> ''), "
        "listed AS (SELECT diagnosis_text, EXPLODE(SPLIT(diagnosis_text, ',')) AS code FROM lists), "
        "diagnoses AS (SELECT listed.diagnosis_text, COUNT_IF(icd10cm.code IS NULL) AS unknown, COUNT_IF(icd10cm.leaf = 0) AS not_leaf "
        "FROM listed LEFT JOIN icd10cm ON icd10cm.code = listed.code GROUP BY listed.diagnosis_text), "
        f"headers AS (SELECT {versions} FROM lines WHERE {keyed} GROUP BY {versions} HAVING MIN(header_text) <> MAX(header_text)), "
        f"twice AS (SELECT {versions}, line_number FROM lines WHERE {keyed} AND line_number IS NOT NULL "
        f"GROUP BY {versions}, line_number HAVING COUNT(*) > 1), "
        f"doubles AS (SELECT {', '.join(f'twice.{name}' for name in (versions + ', line_number').split(', '))} FROM lines "
        f"INNER JOIN twice ON {same('twice', 'lines', versions + ', line_number')} "
        f"GROUP BY {', '.join(f'twice.{name}' for name in (versions + ', line_number').split(', '))} "
        f"HAVING MIN({content}) <> MAX({content})), "
        # Whole contents are compared only where a few telling values are alike under two claim ids.
        f"alike AS (SELECT {', '.join(f'{sql} AS k{n}' for n, sql in enumerate(likeness))} FROM lines WHERE parse_error IS NULL "
        f"GROUP BY {', '.join(likeness)} HAVING MIN(claim_id) <> MAX(claim_id)), "
        f"suspects AS (SELECT lines.payer_id, lines.file_id, lines.row_id, lines.claim_id, {content} AS content FROM lines "
        f"INNER JOIN alike ON {' AND '.join(f'alike.k{n} = {sql}' for n, sql in enumerate(likeness))} WHERE parse_error IS NULL), "
        "repeated AS (SELECT payer_id, file_id, content FROM suspects GROUP BY payer_id, file_id, content "
        "HAVING MIN(claim_id) <> MAX(claim_id)), "
        "repeats AS (SELECT suspects.row_id FROM suspects "
        f"INNER JOIN repeated ON {same('repeated', 'suspects', 'payer_id, file_id, content')})"
    )


def _kept(contract: Contract) -> list[str]:
    return [*IDENTITY, *contract.columns]


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
    named = ", ".join(f"CASE WHEN {flag.name} THEN '{flag.rule.id}' END" for flag in flags)
    any_flag = " OR ".join(flag.name for flag in flags)
    nothing = "CAST(ARRAY() AS ARRAY<STRING>)"
    return f"CASE WHEN {any_flag} THEN FILTER(ARRAY({named}), w -> w IS NOT NULL) ELSE {nothing} END" if flags else nothing


def _error(rule: str, column: str, message: str) -> str:
    return f"NAMED_STRUCT('rule_id', {literal(rule)}, 'column', {literal(column)}, 'message', {literal(message)})"
