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
    """Waived lines stay in the queue with their siblings, still counted as set aside; nothing else moves."""
    kept = lake.content([CLEAN, HISTORY, MONTHLY])
    assert done(lake, waive, Selection(rule="units_range")).release == 2
    assert states(lake) == {"waived": 4}
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
    assert states(lake) == {"open": 62, "waived": 2}
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


def test_a_waiver_takes_the_whole_claim_and_no_replay_splits_it(lake: Lake) -> None:
    """One line of a version waived: its sibling too; a mended rule brings neither back, by replay or by rebuild."""
    row = lake.rows(QUEUE, "row_id", "raw_line LIKE 'X1,2,%'")[0]["row_id"]
    done(lake, waive, Selection(rows=(row,)))
    assert states(lake) == {"waived": 2, "open": 2}
    allow_more_units(lake)
    done(lake, replay, Selection())
    assert {r["claim_id"] for r in lake.rows(CLEAN, "claim_id", "claim_id LIKE 'X%'")} == {"X2"}
    done(lake, rebuild, "claims_history")
    assert {r["claim_id"] for r in lake.rows(CLEAN, "claim_id", "claim_id LIKE 'X%'")} == {"X2"}
    assert states(lake) == {"waived": 2, "replayed": 2}
    assert verified(lake)


@pytest.mark.parametrize("row", ["", "ab", "%%%%%%%%", "zzzzzzzzzzzz"])
def test_a_vague_row_closes_nothing(lake: Lake, row: str) -> None:
    """A row id that is blank, too short, a wildcard or unknown is wrong usage."""
    with pytest.raises(UsageError):
        done(lake, waive, Selection(rows=(row,)))
    assert states(lake) == {"open": 4}


def test_going_back_to_earlier_declarations_can_replay_again(lake: Lake) -> None:
    """The same lines under the same rules a second time are another batch, since they start from another release."""
    path = lake.knowledge_base / "silver/claim_line.yaml"
    strict = path.read_text()
    allow_more_units(lake)
    done(lake, replay, Selection())
    relaxed = path.read_text()
    path.write_text(strict)
    done(lake, rebuild, "claims_history")
    path.write_text(relaxed)
    assert done(lake, replay, Selection()).release == 4
    assert verified(lake)


def test_a_refused_file_mended_in_place_is_loaded(lake: Lake) -> None:
    """The old content is told as gone; the new one is released."""
    from medflow.errors import GateRefused

    lake.put("bluecross", "2.csv", bluecross([too_many_units(f"Y{n}") for n in range(100)]))
    with pytest.raises(GateRefused):
        lake.run()
    lake.put("bluecross", "2.csv", bluecross([replace(v, claim=f"Y{v.claim}") for v in sound()]))
    outcome = lake.run()
    assert outcome.release == 2
    assert any("no longer in the landing folder" in notice for notice in outcome.notices)


def test_a_rebuild_quotes_no_other_files_record(lake: Lake) -> None:
    """A name that was used again for other content gives no text, rather than another member's."""
    lake.put("bluecross", "1.csv", bluecross([replace(v, claim=f"N{v.claim}", member="OTHER") for v in sound(70)]))
    lake.run()
    path = lake.knowledge_base / "silver/claim_line.yaml"
    path.write_text(path.read_text().replace("units > 999", "units > 0"))
    done(lake, rebuild, "claims_history")
    old = lake.rows("healthcare.claims_raw", "DISTINCT file_id", "fields['CLAIM_ID'] = 'C1'")[0]["file_id"]
    texts = [row["raw_line"] for row in lake.rows(QUEUE, "raw_line", f"file_id = '{old}' AND raw_line IS NOT NULL")]
    assert not [text for text in texts if "OTHER" in text]


def test_the_same_bytes_in_two_payers_folders(tmp_path: Path) -> None:
    """The misplaced copy is rejected; the right one is loaded whole, and the release verifies."""
    lake = Lake(tmp_path / "lake")
    content = bluecross(sound())
    for payer in ("aetna", "bluecross", "unitedhealth"):
        lake.put(payer, "1.csv", content)
    outcome = lake.run()
    assert {file.payer: file.state for file in outcome.files} == {"aetna": "rejected", "bluecross": "published", "unitedhealth": "rejected"}
    assert len(lake.rows(CLEAN)) == 60
    assert verified(lake)


def test_a_payer_without_an_allowed_column(tmp_path: Path) -> None:
    """What a payer does not send is no disagreement."""
    base = copied_knowledge_base(tmp_path / "kb")
    (base / "payers/small.yaml").write_text(
        'payer: small\nlabel: Small\ngrain: one row a claim\nfile: {delimiter: ","}\ncolumns:\n  ID: {claim_id: text}\n  WHO: {member_id: text}\n'
        '  NPI: {rendering_npi: text}\n  DX: {diagnosis_codes: icd10}\n  DAY: {service_from: "date:YYYY-MM-DD", received_date: "date:YYYY-MM-DD", adjudicated_date: "date:YYYY-MM-DD"}\n'
        '  BILLED: {billed_amount: money_dot}\n  PAID: {paid_amount: money_dot}\n  ST: {claim_status: "code:s"}\ncodes: {s: {P: paid}}\nderive: {line_number: "1"}\n'
    )
    lake = Lake(tmp_path / "lake", base)
    rows = "".join(f"A{n},M{n},1234567893,E11.9,2026-01-0{n},100.00,{paid}.00,P\n" for n, paid in ((1, 80), (2, 120)))
    lake.put("small", "1.csv", ("ID,WHO,NPI,DX,DAY,BILLED,PAID,ST\n" + rows).encode())
    lake.run()
    assert [row["claim_id"] for row in lake.rows(CLEAN, "claim_id")] == ["A1"]
    assert [error["rule_id"] for row in lake.rows(QUEUE, "errors") for error in row["errors"]] == ["amounts_in_order"]


def test_providers_are_set_aside_with_their_text_and_rebuilt(lake: Lake) -> None:
    """A provider row with a wrong check digit is quoted in the queue and can be waived; the table can be rebuilt."""
    lake.put("reference", "providers.csv", b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n1234567890,Bo Ray,Surgery,TX\n")
    assert lake.run().rows[QUEUE] == 1
    assert [row["raw_line"] for row in lake.rows(QUEUE, "raw_line", "payer_id = 'reference'")] == ["1234567890,Bo Ray,Surgery,TX"]
    done(lake, waive, Selection(payer="reference"))
    assert states(lake) == {"open": 4, "waived": 1}
    path = lake.knowledge_base / "reference/providers.yaml"
    path.write_text(path.read_text().replace("label: Reference files", "label: Reference"))
    assert any("--rebuild healthcare.providers" in notice for notice in lake.run().notices)
    done(lake, rebuild, "providers")
    assert lake.run().notices == ()
    assert [row["npi"] for row in lake.rows("healthcare.providers", "npi")] == ["1234567893"]


def test_day_folders_in_the_landing_folder_are_told(lake: Lake) -> None:
    """A file one level too deep is not passed over in silence."""
    deep = lake.landing / "2026-07-02/bluecross"
    deep.mkdir(parents=True)
    (deep / "1.csv").write_bytes(bluecross(sound(1)))
    with pytest.raises(UsageError, match="one level too deep; `medflow land"):
        lake.run()


def test_a_lake_of_provider_files_alone_runs_and_rebuilds(tmp_path: Path) -> None:
    """No claim file yet: the providers are released, and a rebuild of the claims finds nothing to do wrong."""
    lake = Lake(tmp_path / "lake")
    lake.put("reference", "providers.csv", b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n")
    assert lake.run().release == 1
    assert done(lake, rebuild, "claims_history").release == 2
    assert [row["npi"] for row in lake.rows("healthcare.providers", "npi")] == ["1234567893"]
    assert verified(lake)
