"""A run takes waiting files to a release; a second run finds nothing to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from medflow.errors import GateRefused, UsageError
from tests.support.claims import WRITERS, Line, Version, bluecross, unitedhealth
from tests.support.lake import Lake

CLEAN, HISTORY, QUEUE = "healthcare.claims_clean", "healthcare.claims_history", "healthcare.claims_quarantined"
MONTHLY = "healthcare_gold.claims_monthly_summary"


def claims(count: int, start: int = 0) -> list[Version]:
    """Sound claims over four months of service."""
    return [
        Version(
            f"C{n}",
            member=f"M{n % 5}",
            service=date(2026, 1 + n % 4, 3),
            received=date(2026, 5, 1),
            adjudicated=date(2026, 5, 9),
            paid_on=date(2026, 5, 10),
        )
        for n in range(start, start + count)
    ]


@pytest.mark.parametrize("payer", WRITERS)
def test_each_layout_becomes_the_same_clean_lines(lake: Lake, payer: str) -> None:
    """The same claims written in any payer's layout become the same rows, but for what that layout does not carry."""
    lake.put(payer, "claims.csv", WRITERS[payer]([Version(lines=(Line(1), Line(2, Decimal("80.00"), Decimal("50.00"), Decimal("20.00"))))]))
    outcome = lake.run()
    assert outcome.release == 1
    assert outcome.gate["outcome"] == "pass"
    rows = lake.rows(
        CLEAN,
        "claim_id, line_number, claim_version, principal_diagnosis, diagnosis_codes, service_from, billed_amount, paid_amount, deductible_amount, claim_status, rendering_npi, age_band",
    )
    first = {
        "claim_id": "C1",
        "line_number": 1,
        "claim_version": 1,
        "principal_diagnosis": "E11.9",
        "diagnosis_codes": ["E11.9"],
        "service_from": date(2026, 1, 10),
        "billed_amount": Decimal("200.00"),
        "paid_amount": Decimal("100.00"),
        "deductible_amount": Decimal("20.00"),
        "claim_status": "paid",
        "rendering_npi": "1234567893",
        "age_band": "50-64",
    }
    second = first | {
        "line_number": 2,
        "billed_amount": Decimal("80.00"),
        "paid_amount": Decimal("20.00"),
        "deductible_amount": Decimal("30.00"),
    }
    assert rows == [first, second]


def test_an_unchanged_run_publishes_nothing(lake: Lake) -> None:
    """The second run finds every file in the ledger, and no engine or table library is needed for that."""
    lake.put("bluecross", "a.csv", bluecross(claims(4)))
    assert lake.run().release == 1
    again = lake.run()
    assert (again.release, again.batch_id, again.files) == (None, None, ())
    assert lake.release().number == 1


def test_a_renamed_or_redelivered_file_is_recognised(lake: Lake) -> None:
    """A file is its content: another name or a second copy brings nothing."""
    path = lake.put("bluecross", "a.csv", bluecross(claims(4)))
    lake.run()
    path.rename(path.with_name("b.csv"))
    lake.put("bluecross", "again/c.csv", bluecross(claims(4)))
    assert lake.run().release is None


def test_runs_in_any_split_give_the_same_tables(lake: Lake, tmp_path) -> None:
    """All files in one run, or one by one in the other order: every table is the same."""
    files = [
        ("bluecross", "1.csv", bluecross(claims(6))),
        (
            "bluecross",
            "2.csv",
            bluecross(
                [
                    replace(v, sequence=1, received=date(2026, 5, 20), adjudicated=date(2026, 5, 25), paid_on=date(2026, 5, 26))
                    for v in claims(3)
                ]
            ),
        ),
        ("unitedhealth", "3.txt", unitedhealth(claims(5))),
    ]
    for file in files:
        lake.put(*file)
    lake.run()
    other = Lake(tmp_path / "other")
    for file in reversed(files):
        other.put(*file)
        other.run()
    assert other.release().number == 3
    assert lake.content() == other.content()


def test_a_claim_that_moves_month_leaves_no_trace_in_the_old_one(lake: Lake) -> None:
    """A replacement with another service date takes the claim out of its old month, in clean and in gold."""
    original = claims(1)[0]
    lake.put("bluecross", "1.csv", bluecross([original]))
    lake.run()
    moved = replace(
        original, sequence=1, service=date(2026, 3, 9), received=date(2026, 5, 20), adjudicated=date(2026, 5, 21), paid_on=date(2026, 5, 22)
    )
    lake.put("bluecross", "2.csv", bluecross([moved]))
    lake.run()
    assert [row["claim_service_date"] for row in lake.rows(CLEAN)] == [date(2026, 3, 9)]
    assert [row["service_month"] for row in lake.rows(MONTHLY)] == [date(2026, 3, 1)]


def test_a_reversed_claim_stays_with_zero_amounts(lake: Lake) -> None:
    """A void keeps the claim, with status reversed and 0.00; the signed rows stay in history."""
    original = claims(1)[0]
    void = replace(
        original, sequence=1, status="reversed", received=date(2026, 5, 20), adjudicated=date(2026, 5, 21), paid_on=date(2026, 5, 22)
    )
    for payer, writer in WRITERS.items():
        lake.put(payer, "1.csv", writer([original, void]))
    lake.run()
    rows = lake.rows(CLEAN, "payer_id, claim_status, claim_version, billed_amount, paid_amount, quality_warnings")
    assert [row["payer_id"] for row in rows] == ["aetna", "bluecross", "unitedhealth"]
    assert {(row["claim_status"], row["claim_version"], row["billed_amount"], row["paid_amount"]) for row in rows} == {
        ("reversed", 2, Decimal("0.00"), Decimal("0.00"))
    }
    assert all(row["quality_warnings"] == [] for row in rows)
    assert sorted(row["billed_amount"] for row in lake.rows(HISTORY)) == [Decimal("-200.00")] * 3 + [Decimal("200.00")] * 3


def test_an_error_on_one_line_sets_the_whole_version_aside(lake: Lake) -> None:
    """The sibling is quarantined too, and its record is quoted; the claim's other version is not touched."""
    sound = claims(40)
    broken = Version("X1", lines=(Line(1), Line(2, procedure="not a code")))
    lake.put("bluecross", "1.csv", bluecross([*sound, broken]))
    lake.run()
    rows = lake.rows(QUEUE, "record_number, raw_line, errors, status")
    assert [[error["rule_id"] for error in row["errors"]] for row in rows] == [["claim_incomplete"], ["procedure_shape"]]
    assert all(row["raw_line"].startswith("X1,") and row["status"] == "open" for row in rows)
    assert not lake.rows(CLEAN, where="claim_id = 'X1'")


def test_the_gate_refuses_and_remembers(lake: Lake) -> None:
    """A batch with too many errors publishes nothing, and asking again gives the stored answer without building."""
    lake.put("bluecross", "good.csv", bluecross(claims(100)))
    lake.run()
    lake.put("bluecross", "bad.csv", bluecross([*claims(90, 200), *(replace(v, npi="1234567890") for v in claims(30, 400))]))
    with pytest.raises(
        GateRefused, match=r"bluecross: 30 of 120 lines \(25.0%\).*npi_check \(30 lines, first in bluecross/bad.csv\)"
    ) as first:
        lake.run()
    assert first.value.exit_code == 3
    assert lake.release().number == 1
    with pytest.raises(GateRefused) as second:
        lake.run()
    assert str(second.value) == str(first.value)


def test_median_billed_far_from_the_last_batches_is_refused(lake: Lake) -> None:
    """Dollars taken for cents pass every rule of a line; the fourth batch is held against the first three."""
    for number in range(3):
        lake.put("bluecross", f"{number}.csv", bluecross(claims(5, 10 * number)))
        lake.run()
    tiny = tuple(replace(v, lines=(Line(1, Decimal("2.00"), Decimal("1.20"), Decimal("1.00")),)) for v in claims(5, 100))
    lake.put("bluecross", "tiny.csv", bluecross(tiny))
    with pytest.raises(GateRefused, match="median_billed"):
        lake.run()


def test_every_file_rejected_is_told_and_publishes_nothing(lake: Lake) -> None:
    """A rejected file has a reason; run again, it is already answered and nothing changes."""
    lake.put("bluecross", "1.csv", b"")
    outcome = lake.run()
    assert outcome.all_rejected
    assert outcome.files[0].reason_code == "empty_file"
    assert lake.run().files == ()


def test_a_folder_of_no_payer_is_refused(lake: Lake) -> None:
    """Files of an undeclared payer are not passed over in silence."""
    lake.put("bluecross", "1.csv", bluecross(claims(1)))
    lake.put("cigna", "1.csv", b"a,b\n")
    with pytest.raises(UsageError, match=r"cigna is not the folder of a declared payer; declared: aetna, bluecross"):
        lake.run()
