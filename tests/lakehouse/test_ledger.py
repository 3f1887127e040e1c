"""The ledger: a file is its hash, its state says what a run does with it, a person may decide otherwise."""

from dataclasses import replace
from datetime import date

import pytest

from medflow.errors import CatalogError, UsageError
from medflow.lakehouse.batch_ids import batch_id, derived_batch_id
from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger import Ledger, new_batch
from medflow.lakehouse.ledger_entries import ReleaseEntry, SeenFile
from tests.lakehouse.small_lake import DAY, NOW

AETNA = SeenFile("aetna", "ab12" + "0" * 60, "aetna/a.csv", 10)
BLUE = SeenFile("bluecross", "cd34" + "0" * 60, "bluecross/b.csv", 20)
NOW_DECLARED = {"aetna": "d1", "bluecross": "d1"}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(connect(f"sqlite:///{tmp_path / 'lake.db'}"))


def add_release(ledger, number, parent, *files, restored=None, batch=None):
    batch = batch or f"b{number}"
    entry = ReleaseEntry(number, parent, batch, "load", DAY, NOW, f"{number}.json", "d1", restored)
    ledger.start_batch(new_batch(batch, "load", DAY, "d1"))
    with writing(ledger.engine) as connection:
        ledger.add_release(connection, entry, {"statistics": {"aetna": {"lines": number}}})
        ledger.add_files(connection, entry, [file.key if hasattr(file, "key") else (file.payer, file.sha256) for file in files])


def candidates(ledger, **declarations):
    return [entry.payer for entry in ledger.candidates({**NOW_DECLARED, **declarations})]


def test_the_ingest_date_is_that_of_the_first_sight(ledger):
    """The same content again, another day and under another name, is the same entry."""
    ledger.see([AETNA], DAY)
    (again,) = ledger.see([replace(AETNA, name="aetna/other.csv")], date(2027, 1, 1))
    assert (again.ingest_date, again.name, again.state) == (DAY, "aetna/a.csv", "discovered")
    assert len(ledger.files()) == 1


def test_the_same_content_of_two_payers_is_two_files(ledger):
    """The key is payer and hash."""
    ledger.see([AETNA, replace(AETNA, payer="bluecross")], DAY)
    assert [entry.payer for entry in ledger.files()] == ["aetna", "bluecross"]


TAKEN = ("discovered", "bronze", "silver", "gated", "refused")


@pytest.mark.parametrize("state", [*TAKEN, "published", "excluded", "withdrawn", "rejected"])
def test_what_a_run_takes(ledger, state):
    """Left by a killed run or refused: taken. Published, excluded, withdrawn, rejected as declared: not."""
    (entry,) = ledger.see([AETNA], DAY)
    ledger.record([replace(entry, state=state, declarations="d1")])
    assert candidates(ledger) == (["aetna"] if state in TAKEN else [])


def test_a_changed_declaration_revives_a_rejected_file(ledger):
    """Only its own payer's declaration does."""
    (entry,) = ledger.see([AETNA], DAY)
    ledger.record([replace(entry, state="rejected", declarations="d1")])
    assert candidates(ledger, bluecross="d2") == []
    assert candidates(ledger, aetna="d2") == ["aetna"]


def test_a_file_rejected_by_hand_stays_rejected(ledger):
    """No declaration revives it, `retry` does, and the next state ends the retry."""
    ledger.see([AETNA], DAY)
    assert ledger.reject("ab12", "wrong month").reason == "wrong month"
    assert candidates(ledger, aetna="d2") == []
    ledger.retry("ab12")
    assert candidates(ledger) == ["aetna"]
    ledger.set_states([(AETNA.payer, AETNA.sha256)], "bronze", "b1")
    ledger.set_states([(AETNA.payer, AETNA.sha256)], "published")
    assert candidates(ledger) == []
    assert ledger.find("ab12").batch_id == "b1"


def test_an_excluded_file_is_left_out_until_it_is_released(ledger):
    """Exclude, then retry."""
    ledger.see([AETNA], DAY)
    ledger.exclude("ab12", "test data")
    assert candidates(ledger) == []
    ledger.retry("AB12")
    assert candidates(ledger) == ["aetna"]


@pytest.mark.parametrize("action", ["exclude", "reject", "retry"])
def test_a_published_file_cannot_be_decided_away(ledger, action):
    """The message says the state, what is allowed and how to go back."""
    (entry,) = ledger.see([AETNA], DAY)
    ledger.record([replace(entry, state="published")])
    arguments = ["ab12"] if action == "retry" else ["ab12", "because"]
    with pytest.raises(UsageError, match=rf"cannot {action}.*published.*allowed.*releases restore"):
        getattr(ledger, action)(*arguments)


def test_a_prefix_must_name_one_file(ledger):
    """Unknown and ambiguous prefixes are wrong usage; the payer may tell two apart."""
    ledger.see([AETNA, replace(AETNA, payer="bluecross")], DAY)
    for prefix, said in (("ff", "no file"), ("", "no file"), ("ab", "2 files")):
        with pytest.raises(UsageError, match=said):
            ledger.find(prefix)
    assert ledger.find("bluecross:ab").payer == "bluecross"


def test_counts_and_warnings_are_kept(ledger):
    """What is recorded is read back; what was fixed at first sight is not changed by it."""
    (entry,) = ledger.see([AETNA], DAY)
    told = {"lines": 7, "billed_cents": -(10**12), "warnings": ("w1", "w2")}
    ledger.record([replace(entry, **told, name="changed", ingest_date=date(2020, 1, 1))])
    assert ledger.files(payer="aetna", state="discovered") == [replace(entry, **told)]


def test_an_unknown_file_or_batch_is_an_error(ledger):
    """Nothing is published that the ledger has not seen."""
    with pytest.raises(CatalogError, match="not in the ledger"):
        ledger.set_states([("aetna", "0" * 64)], "bronze")
    with pytest.raises(CatalogError, match="not in the ledger"):
        ledger.end_batch("none", "failed", {})


def test_a_batch_is_taken_up_again(ledger):
    """Starting the same batch anew clears what the killed run left."""
    ledger.start_batch(new_batch("b", "load", DAY, "d1"))
    ledger.end_batch("b", "refused", {"gate": 1}, "too many errors")
    assert (ledger.batch("b").state, ledger.batch("b").message) == ("refused", "too many errors")
    ledger.start_batch(new_batch("b", "load", DAY, "d1"))
    assert (ledger.batch("b").state, ledger.batch("b").heads, ledger.batch("x")) == ("running", {}, None)


def test_the_lineage_follows_the_parents(ledger):
    """After a restore of 1, releases 2 and 3 are no longer part of what stands."""
    ledger.see([AETNA, BLUE], DAY)
    add_release(ledger, 1, None, AETNA)
    add_release(ledger, 2, 1, BLUE)
    add_release(ledger, 3, 2)
    add_release(ledger, 4, 1, restored=1)
    assert [entry.release for entry in ledger.lineage()] == [4, 1]
    assert [entry.release for entry in ledger.lineage(3)] == [3, 2, 1]
    assert ledger.current_release().release == 4
    assert ledger.release_of_batch("b2") is None and ledger.release_of_batch("b1").release == 1
    assert set(ledger.contents(3)) == {("aetna", AETNA.sha256), ("bluecross", BLUE.sha256)}
    assert set(ledger.contents(4)) == {("aetna", AETNA.sha256)}
    assert [entry["lines"] for entry in ledger.statistics("aetna", 5)] == [4, 1]
    assert [entry["lines"] for entry in ledger.statistics("aetna", 1)] == [4]


def test_a_restored_ledger_brings_files_back_and_forth(ledger):
    """Files only in releases left behind are withdrawn; going forward again publishes them again."""
    ledger.see([AETNA, BLUE], DAY)
    add_release(ledger, 1, None, AETNA)
    add_release(ledger, 2, 1, BLUE)
    with writing(ledger.engine) as connection:
        ledger.restore_files(connection, 1)
    assert {entry.payer: entry.state for entry in ledger.files()} == {"aetna": "published", "bluecross": "withdrawn"}
    ledger.retry("cd34")
    with writing(ledger.engine) as connection:
        ledger.restore_files(connection, 2)
    after = [(entry.state, entry.release, entry.retry) for entry in ledger.files()]
    assert after == [("published", 1, False), ("published", 2, False)]


def test_batch_ids_know_files_and_not_their_order():
    """The same files give the same id; another file, payer, kind, table, declaration or start gives another."""
    one, two = ("aetna", "a"), ("bluecross", "b")
    assert batch_id([one, two]) == batch_id([two, one]) != batch_id([one])
    assert len(batch_id([one])) == 16
    ids = {
        derived_batch_id("rebuild", [one], ["t"], ("d", 1)),
        derived_batch_id("restore", [one], ["t"], ("d", 1)),
        derived_batch_id("rebuild", [two], ["t"], ("d", 1)),
        derived_batch_id("rebuild", [one], ["u"], ("d", 1)),
        derived_batch_id("rebuild", [one], ["t"], ("e", 1)),
        derived_batch_id("rebuild", [one], ["t"], ("d", 2)),
        batch_id([one]),
    }
    assert len(ids) == 7


def test_instants_come_back_in_utc(ledger):
    """What SQLite keeps without a zone is read back as the same instant."""
    add_release(ledger, 1, None)
    assert ledger.releases()[0].created_at == NOW and ledger.releases()[0].created_at.tzinfo is not None
