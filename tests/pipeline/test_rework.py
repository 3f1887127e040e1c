"""Replay, waiver, rebuild and restore: releases without a new file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from medflow.errors import UsageError
from spark_jobs.outcome import RunOutcome
from spark_jobs.reverify import verify_release
from spark_jobs.rework import Selection, rebuild, replay, waive
from tests.support.claims import Line, Version, bluecross, unitedhealth
from tests.support.lake import Lake, copied_knowledge_base, order

CLEAN, HISTORY, QUEUE = "healthcare.claims_clean", "healthcare.claims_history", "healthcare.claims_quarantined"
MONTHLY = "healthcare_gold.claims_monthly_summary"
LATER = date(2026, 7, 20)


def sound(count: int = 60) -> list[Version]:
    return [Version(f"C{n}", member=f"M{n % 5}") for n in range(count)]


def too_many_units(claim: str) -> Version:
    """A version of two lines, one of which breaks units_range."""
    return Version(claim, lines=(Line(1), Line(2, units=1500)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A released lake with declarations of its own; X1 and X2 wait in the queue, two lines each."""
    lake = Lake(tmp_path / "lake", copied_knowledge_base(tmp_path / "kb"))
    lake.put("bluecross", "1.csv", bluecross([*sound(), too_many_units("X1"), too_many_units("X2")]))
    lake.run()
    return lake


def allow_more_units(lake: Lake) -> None:
    """Mend the rule."""
    path = lake.knowledge_base / "silver/claim_line.yaml"
    path.write_text(path.read_text().replace("units > 999", "units > 1999"))


def states(lake: Lake) -> Counter[str]:
    return Counter(row["status"] for row in lake.rows(QUEUE, "status"))


def verified(lake: Lake) -> bool:
    """Every check of `medflow verify` agrees."""
    return not [finding for finding in verify_release(lake.site(), lambda _: None)[1] if finding.failed]


def done(lake: Lake, work, *rest) -> RunOutcome:
    return work(lake.site(), order(LATER), *rest)


def test_a_replay_loads_what_a_mended_rule_lets_through(lake: Lake) -> None:
    """The lines and their siblings are loaded and resolved; the rest of the file is not touched."""
    before = len(lake.rows(HISTORY))
    allow_more_units(lake)
    outcome = done(lake, replay, Selection(rule="units_range"))
    assert outcome.release == 2
    assert outcome.gate["outcome"] == "exempt"
    assert states(lake) == {"replayed": 4}
    assert {row["resolved_by_batch"] for row in lake.rows(QUEUE, "resolved_by_batch")} == {outcome.batch_id}
    assert len(lake.rows(HISTORY)) == before + 4
    assert len(lake.rows(CLEAN, where="claim_id IN ('X1', 'X2')")) == 4
    assert lake.rows(MONTHLY, "claim_count")[0]["claim_count"] == 62
    assert verified(lake)


def test_a_replay_of_one_row_takes_its_siblings_and_no_more(lake: Lake) -> None:
    """One line named: its whole version goes, the other claim stays open."""
    allow_more_units(lake)
    row = lake.rows(QUEUE, "row_id, raw_line", "raw_line LIKE 'X1,2,%'")[0]
    done(lake, replay, Selection(rows=(row["row_id"][:12],)))
    assert states(lake) == {"replayed": 2, "open": 2}
    assert {r["claim_id"] for r in lake.rows(CLEAN, "claim_id", "claim_id LIKE 'X%'")} == {"X1"}
    assert verified(lake)


def test_a_replay_without_a_mend_changes_nothing(lake: Lake) -> None:
    """The same rules refuse the same lines: no release."""
    assert done(lake, replay, Selection()).release is None
    assert lake.release().number == 1
    assert states(lake) == {"open": 4}


def test_a_replay_keeps_the_first_ingest_date(lake: Lake) -> None:
    """A date that lay in the future when the file came stays an error, however late the replay."""
    late = replace(Version("F1"), adjudicated=date(2026, 7, 10), paid_on=date(2026, 7, 11))
    lake.put("bluecross", "2.csv", bluecross([*(replace(v, claim=f"N{v.claim}") for v in sound()), late]))
    lake.run()
    allow_more_units(lake)
    done(lake, replay, Selection())
    assert {r["claim_id"] for r in lake.rows(CLEAN, "claim_id", "claim_id IN ('F1', 'X1')")} == {"X1"}


def test_a_waiver_closes_without_loading(lake: Lake) -> None:
    """Waived lines stay in the queue, still counted as set aside; nothing else moves."""
    kept = lake.content([CLEAN, HISTORY, MONTHLY])
    assert done(lake, waive, Selection(rule="units_range")).release == 2
    assert states(lake) == {"waived": 2, "open": 2}
    assert lake.content([CLEAN, HISTORY, MONTHLY]) == kept
    assert verified(lake)
    with pytest.raises(UsageError, match="no open line"):
        done(lake, waive, Selection(rule="units_range"))


def test_a_changed_rule_is_told_and_a_rebuild_applies_it(lake: Lake) -> None:
    """`run` says that a rebuild is due; the rebuild computes every layer anew, keeps waivers, and then nothing is due."""
    done(lake, waive, Selection(rows=(lake.rows(QUEUE, "row_id", "raw_line LIKE 'X2,2,%'")[0]["row_id"],)))
    assert lake.run().notices == ()
    path = lake.knowledge_base / "silver/claim_line.yaml"
    path.write_text(path.read_text().replace("units > 999", "units > 0"))
    assert any("medflow run --rebuild healthcare.claims_history" in notice for notice in lake.run().notices)
    outcome = done(lake, rebuild, "claims_history")
    assert outcome.release == 3
    assert lake.rows(CLEAN) == []
    assert lake.rows(MONTHLY) == []
    assert states(lake) == {"open": 63, "waived": 1}
    assert verified(lake)
    assert lake.run().notices == ()


def test_a_rebuild_equals_a_first_run_under_the_new_rules(lake: Lake, tmp_path: Path) -> None:
    """Same files, same declarations: the same tables, whichever way they came."""
    allow_more_units(lake)
    done(lake, rebuild, "claims_history")
    fresh = Lake(tmp_path / "fresh", lake.knowledge_base)
    fresh.put("bluecross", "1.csv", (lake.landing / "bluecross/1.csv").read_bytes())
    fresh.run()
    compared = [name for name in fresh.release().tables if name not in (QUEUE, "healthcare.data_quality_log")]
    assert lake.content(compared) == fresh.content(compared)
    assert states(lake) == {"replayed": 4}


def test_a_changed_gold_table_is_rebuilt_with_the_next_load(lake: Lake) -> None:
    """No month of a gold table is of another definition than the next one."""
    lake.put(
        "unitedhealth",
        "1.txt",
        unitedhealth(
            replace(v, service=date(2026, 3, 1), received=date(2026, 3, 20), adjudicated=date(2026, 3, 21), paid_on=date(2026, 3, 22))
            for v in sound(5)
        ),
    )
    path = lake.knowledge_base / "gold/claims_monthly_summary.sql"
    path.write_text(path.read_text().replace("CAST(SUM(billed_amount) AS DOUBLE) / CAST(COUNT(*) AS DOUBLE) AS", "CAST(1 AS DOUBLE) AS"))
    outcome = lake.run()
    assert outcome.notices == ()
    assert {row["average_billed_per_claim"] for row in lake.rows(MONTHLY)} == {1.0}
    assert len(lake.rows(MONTHLY)) == 2


def test_a_gold_rebuild_alone(lake: Lake) -> None:
    """One table anew; the others keep their files."""
    before = lake.release().tables
    outcome = done(lake, rebuild, "condition_costs")
    assert (outcome.release, set(outcome.rows)) == (2, {"healthcare_gold.condition_costs", "healthcare.data_quality_log"})
    after = lake.release().tables
    assert after[CLEAN].files == before[CLEAN].files
    assert lake.rows("healthcare_gold.condition_costs", "claim_count") == [{"claim_count": 60}]


def test_an_added_column_evolves_the_table(lake: Lake) -> None:
    """A new gold column is NULL in no row: the table is built whole with the next load."""
    path = lake.knowledge_base / "gold/denial_reasons.sql"
    text = path.read_text().replace(
        "  share_of_denied_amount: {",
        "  average_denied:         {type: double, about: denied_amount / claim_count}\n  share_of_denied_amount: {",
    )
    path.write_text(
        text.replace(
            "  denied_amount,\n  CAST(denied",
            "  denied_amount,\n  CAST(denied_amount AS DOUBLE) / CAST(claim_count AS DOUBLE) AS average_denied,\n  CAST(denied",
        )
    )
    lake.put("bluecross", "2.csv", bluecross([replace(v, claim=f"N{v.claim}").denied() for v in sound()]))
    assert lake.run().release == 2
    assert [row["average_denied"] for row in lake.rows("healthcare_gold.denial_reasons")] == [200.0]


def test_a_restore_brings_back_the_release_and_withdraws_later_files(lake: Lake) -> None:
    """Release 3 has the content of release 1; the withdrawn file comes back when it is retried."""
    first = lake.content()
    lake.put("bluecross", "2.csv", bluecross([replace(v, claim=f"N{v.claim}", lines=(Line(1, Decimal("300.00")),)) for v in sound()]))
    lake.run()
    second = lake.content()
    assert lake.command("releases", "restore", "1").returncode == 0
    assert lake.content() == first
    assert lake.run().release is None
    withdrawn = lake.site().ledger.files(state="withdrawn")
    assert [entry.name for entry in withdrawn] == ["bluecross/2.csv"]
    lake.site().ledger.retry(withdrawn[0].sha256)
    assert lake.run().release == 4
    assert lake.content() == second
    assert verified(lake)


def test_a_refused_batch_is_loaded_when_the_declarations_allow_it(lake: Lake) -> None:
    """A refused file stays a candidate; a mended rule gives it another answer."""
    from medflow.errors import GateRefused

    lake.put("bluecross", "2.csv", bluecross([too_many_units(f"Y{n}") for n in range(100)]))
    with pytest.raises(GateRefused):
        lake.run()
    allow_more_units(lake)
    assert lake.run().release == 2
    assert len(lake.rows(CLEAN, where="claim_id LIKE 'Y%'")) == 200
