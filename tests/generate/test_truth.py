"""The truth, counted again from the files of a sample without errors, and its own bookkeeping in one with many."""

from collections import Counter, defaultdict
from statistics import median

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medflow.generate import SampleRequest, generate
from medflow.generate.defects import ERROR_RULES
from medflow.generate.diagnoses import HEADINGS
from tests.generate.reader import BAD, COLUMNS, MONEY, MONEY_COLUMNS, cents, day, payer_files, rows
from tests.generate.test_codes import KNOWLEDGE_BASE

PAYERS = ("bluecross", "aetna", "unitedhealth")
STAGES = ("submitted", "accepted", "adjudicated", "approved", "paid")
# what a payer's layout cannot get wrong, and why
IMPOSSIBLE = {
    "bluecross": {"version_kind_known", "reversal_consistent"},  # the kind is derived from status and sequence
    "aetna": {"version_kind_known", "reversal_consistent", "version_present"},  # and a blank claim number has no claim either
    "unitedhealth": set(),
}


class Claims:
    """Current versions, worked out from lines the plain way."""

    def __init__(self, found):
        unique = {(line.payer, line.claim, line.version, line.number): line for line in found}
        versions = defaultdict(list)
        for line in unique.values():
            versions[line.payer, line.claim, line.version].append(line)
        chains = defaultdict(list)
        for key in sorted(versions):
            chains[key[:2]].append(versions[key])
        self.chains = chains
        self.current = {key: chain[-1] for key, chain in chains.items()}

    def facts(self):
        """(payer, lines, money of the claim with reversals as zero) of every claim."""
        for (payer, _), found in self.current.items():
            gone = found[0].status == "reversed"
            yield payer, found, {name: 0 if gone else sum(line.cents[name] or 0 for line in found) for name in MONEY}

    def warned(self, rule):
        """Lines of claims_clean by payer."""
        return Counter(key[0] for key, chain in self.chains.items() if rule(chain) for _ in chain[-1])


@pytest.fixture(scope="module")
def claims(clean_sample):
    return Claims(clean_sample[2])


def month(when):
    return when.replace(day=1).isoformat()


def test_lines_files_and_history(clean_sample):
    """Lines, records and charges of each file are those in it; without errors every line is history."""
    folder, truth, found = clean_sample
    assert truth["lines_read"] == truth["history_lines"] == Counter(line.payer for line in found)
    for payer, name in payer_files(folder):
        own = [line for line in found if line.file == name]
        assert truth["files"][name] == {
            "payer": payer,
            "records": len(rows(folder, payer, name)[0]),
            "lines": len(own),
            "billed_cents": sum(line.cents["billed"] for line in own),
        }
    assert truth["quarantined_records"] == [] and set(truth["quarantine"].values()) == {0}


def test_warnings_of_lines(clean_sample):
    """Each warning counts the lines that show it, exact copies too; no error is told."""
    _, truth, found = clean_sample
    contents = defaultdict(set)
    for line in found:
        contents[line.content].add(line.claim)
    shown = {
        "content_repeats": lambda line: len(contents[line.content]) > 1,
        "decision_date_present": lambda line: line.status in ("paid", "denied", "reversed") and line.adjudicated is None,
        "diagnosis_not_leaf": lambda line: bool(set(line.diagnoses) & set(HEADINGS.values())),
        "procedure_missing": lambda line: line.procedure is None,
        "sex_known": lambda line: line.sex not in ("F", "M", "U"),
    }
    for payer in PAYERS:
        own = [line for line in found if line.payer == payer]
        counted = {rule: sum(map(warns, own)) for rule, warns in shown.items()}
        assert {rule: count for rule, count in truth["rules"][payer].items() if count or rule in counted} == counted
    assert all(sum(truth["rules"][payer][rule] for payer in PAYERS) > 0 for rule in shown)


def test_copies_stand_in_the_files(clean_sample):
    """About 0.3 % of the lines stand there twice, exactly."""
    _, truth, found = clean_sample
    keys = Counter((line.payer, line.claim, line.version, line.number) for line in found)
    assert 0 < sum(count - 1 for count in keys.values()) < 0.01 * len(found)
    assert max(keys.values()) == 2
    assert sum(counts["lines"] for counts in truth["clean"].values()) < len(keys) < len(found)


def test_clean_lines_and_version_warnings(clean_sample, claims):
    """claims_clean has the current version of every claim; warnings against other versions count its lines."""
    _, truth, _ = clean_sample
    by_payer = Counter(payer for payer, _, _ in claims.facts())
    by_line = Counter(payer for payer, found, _ in claims.facts() for _ in found)
    unknown = claims.warned(lambda chain: all(version[0].kind != "original" for version in chain))
    mismatch = claims.warned(lambda chain: len(chain) > 1 and chain[-1][0].kind == "reversal" and not _mirrors(*chain[-2:]))
    for payer in PAYERS:
        assert truth["clean"][payer] == {"claims": by_payer[payer], "lines": by_line[payer]}
        expected = {"key_conflict": 0, "original_unknown": unknown[payer], "reversal_mismatch": mismatch[payer]}
        assert truth["version_warnings"][payer] == expected
    assert sum(unknown.values()) and sum(mismatch.values())


def _mirrors(before, after):
    return {line.number: line.cents for line in after} == {
        line.number: {name: -(value or 0) for name, value in line.cents.items()} for line in before
    }


def test_monthly_summary(clean_sample, claims):
    """Claims, lines, members, money, decisions and the median turnaround by month of service and payer."""
    cells = defaultdict(list)
    for payer, found, money in claims.facts():
        cells[month(min(line.service_from for line in found)), payer].append((found, money))
    expected = [
        {
            "service_month": key[0],
            "payer_id": key[1],
            "claim_count": len(cell),
            "line_count": sum(len(found) for found, _ in cell),
            "member_count": len({found[0].member for found, _ in cell}),
            **{f"{name}_cents": sum(money[name] for _, money in cell) for name in ("billed", "allowed", "paid")},
            "member_responsibility_cents": sum(m["deductible"] + m["coinsurance"] + m["copay"] for _, m in cell),
            "denied_claim_count": sum(found[0].status == "denied" for found, _ in cell),
            "adjudicated_claim_count": sum(found[0].status in ("paid", "denied", "reversed") for found, _ in cell),
            "median_days_to_adjudicate": _median(found[0] for found, _ in cell),
        }
        for key, cell in sorted(cells.items())
    ]
    assert sorted(clean_sample[1]["gold"]["claims_monthly_summary"], key=_key) == sorted(expected, key=_key)


def _key(row):
    return tuple(str(row.get(name, "")) for name in ("service_month", "received_month", "payer_id", "stage_order", "condition"))


def _median(heads):
    days = [(head.adjudicated - head.received).days for head in heads if head.adjudicated]
    return median(days) if days else None


def test_funnel(clean_sample, claims):
    """How far the claims received in a month got, all five stages, by payer."""
    cells = Counter()
    charges = Counter()
    for payer, found, money in claims.facts():
        head = found[0]
        reached = {"rejected": 1, "pending": 2, "denied": 3, "reversed": 3, "paid": 5 if money["paid"] > 0 and head.paid else 4}
        for stage in range(5):
            cells[month(head.received), payer, stage] += stage < reached[head.status]
            charges[month(head.received), payer, stage] += money["billed"] * (stage < reached[head.status])
    told = clean_sample[1]["gold"]["claims_approval_funnel"]
    assert {(row["received_month"], row["payer_id"], row["stage_order"] - 1): row["claim_count"] for row in told} == dict(cells)
    assert {(row["received_month"], row["payer_id"], STAGES.index(row["stage"])): row["billed_cents"] for row in told} == dict(charges)


def test_denials_and_conditions(clean_sample, claims):
    """Denied claims by reason, and listed conditions by month of service and payer."""
    conditions = yaml.safe_load((KNOWLEDGE_BASE / "codes/conditions.yaml").read_text())["rows"]
    denied, sick, members = defaultdict(Counter), defaultdict(Counter), defaultdict(set)
    for payer, found, money in claims.facts():
        head, key = found[0], (month(min(line.service_from for line in found)), payer)
        if head.status == "denied":
            denied[*key, *head.denial].update(claim_count=1, denied_cents=money["billed"])
        for row in conditions:
            if row["first"] <= head.diagnoses[0][:3] <= row["last"]:
                where = (*key, row["condition"])
                sick[where].update(claim_count=1, **{f"{name}_cents": money[name] for name in ("billed", "allowed", "paid")})
                members[where].add(head.member)
    gold = clean_sample[1]["gold"]
    assert _cells(gold["denial_reasons"], ("service_month", "payer_id", "denial_group", "denial_code")) == denied
    expected = {where: {**counts, "member_count": len(members[where])} for where, counts in sick.items()}
    assert _cells(gold["condition_costs"], ("service_month", "payer_id", "condition")) == expected


def _cells(told, keys):
    return {tuple(row[key] for key in keys): {name: value for name, value in row.items() if name not in keys} for row in told}


def test_providers(clean_sample, claims):
    """Totals of the provider table by payer and year, with how many rows and how many of them are ranked."""
    totals, by_provider = defaultdict(Counter), Counter()
    for payer, found, money in claims.facts():
        head, year = found[0], str(min(line.service_from for line in found).year)
        by_provider[payer, year, head.rendering] += 1
        decided = head.status in ("paid", "denied", "reversed")
        totals[payer, year].update(
            claim_count=1,
            **{f"{name}_cents": money[name] for name in ("billed", "allowed", "paid")},
            adjudicated_claim_count=int(decided),
            denied_claim_count=int(head.status == "denied"),
        )
    for (payer, year, _), count in by_provider.items():
        totals[payer, year].update(rows=1, ranked_rows=int(count >= 30))
    told = clean_sample[1]["gold"]["provider_performance"]
    assert {(payer, year): row for payer, years in told.items() for year, row in years.items()} == totals


def test_every_error_rule_appears(spoiled_sample):
    """A tenth of 4000 claims' lines show every error rule that the contract declares, at every payer that can break it."""
    _, truth = spoiled_sample
    contract = yaml.safe_load((KNOWLEDGE_BASE / "silver/claim_line.yaml").read_text())
    declared = {rule["id"] for rule in contract["rules"] if rule["severity"] == "error"}
    assert declared == set(ERROR_RULES)
    for payer in PAYERS:
        told = {rule for rule, count in truth["rules"][payer].items() if count and rule in declared}
        assert told == declared - IMPOSSIBLE[payer]


def test_share_of_errors_is_as_asked(spoiled_sample, tmp_path):
    """The share of lines with an error of their own is within 0.3 percentage points of what was asked."""
    assert abs(spoiled_sample[1]["own_error_share"] - 0.1) < 0.003
    for share in (0.02, 0.5):
        truth = generate(SampleRequest(claims=10_000, seed=5, out=tmp_path / str(share), defects=share))
        assert abs(truth["own_error_share"] - share) < 0.003


def _failing(payer, column, text):
    """Whether a filled cell does not read as its column should."""
    group = column.removesuffix(column[-2:]) if payer == "aetna" and column[-1].isdigit() else column
    if group in MONEY_COLUMNS[payer]:
        return cents(payer, text) == BAD
    if "DATE" in column.upper() or column.upper().startswith("SERVICE") or column.endswith("_dt"):
        return day(payer, text) == BAD
    if group.upper() in ("UNITS", "LINE_NO", "CLM_LINE", "BIRTH_YEAR", "BIRTH YEAR", "BIRTH_YR", "ADJ_SEQ"):
        return not text.isdigit()
    if column in ("SEX", "Gender", "sex_cd"):
        return text not in ("F", "M", "U")
    return False


@pytest.mark.parametrize(("claims_", "days", "share"), [(4000, 1, 0.1), (3000, 6, 0.5), (60, 1, 0.5), (700, 400, 0.2)])
def test_no_column_fails_often(tmp_path, claims_, days, share):
    """At most 2 % of the filled values of any column of any file do not parse, whatever the share of errors."""
    generate(SampleRequest(claims=claims_, seed=2, out=tmp_path / "s", defects=share, days=days))
    bad = 0
    for payer, name in payer_files(tmp_path / "s"):
        records = [row for _, row in rows(tmp_path / "s", payer, name)[0] if isinstance(row, dict)]
        for column in COLUMNS[payer]:
            filled = [row[column] for row in records if row[column] not in ("", "00000000")]
            failing = sum(_failing(payer, column, text) for text in filled)
            assert failing <= 0.02 * len(filled), (name, column)
            bad += failing
    assert bad or claims_ < 1000


def test_quarantine_is_told_line_by_line(spoiled_sample):
    """The listed records exist, unreadable ones have line index 0, and they add up to the quarantine."""
    folder, truth = spoiled_sample
    told = Counter(path.split("/")[0] for path, _, _ in truth["quarantined_records"])
    assert dict(told) == truth["quarantine"]
    assert len({tuple(entry) for entry in truth["quarantined_records"]}) == len(truth["quarantined_records"])
    for payer, name in payer_files(folder):
        records = dict(rows(folder, payer, name)[0])
        torn = {number for number, row in records.items() if not isinstance(row, dict)}
        listed = [(number, index) for path, number, index in truth["quarantined_records"] if path == name]
        assert {number for number, index in listed if index == 0} == torn
        assert len(torn) == truth["rules"][payer]["row_width"]
        assert {number for number, _ in listed} <= set(records)


@settings(max_examples=15, deadline=None)
@given(
    claims_=st.integers(0, 300),
    seed=st.integers(0, 2**40),
    defects=st.sampled_from([0.0, 0.03, 0.1, 0.5]),
    days=st.sampled_from([1, 1, 7]),
)
def test_the_books_balance(tmp_path_factory, claims_, seed, defects, days):
    """Whatever is asked: lines read = history + quarantine, own errors and siblings make the quarantine, gold adds up."""
    truth = generate(SampleRequest(claims_, seed, tmp_path_factory.mktemp("any") / "s", defects=defects, days=days))
    monthly = truth["gold"]["claims_monthly_summary"]
    for payer in PAYERS:
        own, siblings = truth["own_error_lines"][payer], truth["rules"][payer]["claim_incomplete"]
        assert truth["quarantine"][payer] == own + siblings
        assert truth["lines_read"][payer] == truth["history_lines"][payer] + truth["quarantine"][payer]
        assert sum(file["lines"] for file in truth["files"].values() if file["payer"] == payer) == truth["lines_read"][payer]
        assert sum(row["claim_count"] for row in monthly if row["payer_id"] == payer) == truth["clean"][payer]["claims"]
        assert sum(row["line_count"] for row in monthly if row["payer_id"] == payer) == truth["clean"][payer]["lines"]
    assert sum(counts["claims"] for counts in truth["clean"].values()) <= claims_
    assert all(row["paid_cents"] <= row["allowed_cents"] <= row["billed_cents"] for row in monthly)
