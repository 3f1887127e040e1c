"""Every kind of file damage: loaded right, or rejected whole with the right reason; never half, never silently wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medflow.generate import SampleRequest, generate
from medflow.generate.damage import DAMAGES
from tests.support.lake import Lake

_REJECTED = sorted(kind for kind, damage in DAMAGES.items() if damage.outcome != "loaded")
_SAME_CONTENT = ("columns_reordered", "bom_added", "bom_removed", "crlf", "column_added")
_OPTIONAL = "column_dropped_optional"
_UNCOMPARED = {"file_id", "row_id", "batch_id"}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One sound file a payer."""
    folder = tmp_path_factory.mktemp("sound") / "files"
    generate(SampleRequest(claims=300, seed=3, out=folder))
    return {path.parent.name: path.read_bytes() for path in folder.glob("*/*claims*")}


@pytest.fixture(scope="module")
def rejections(sound: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, dict[str, Any]]:
    """A lake that was given every damaged file that is to be rejected, in one run, and nothing else."""
    lake = Lake(tmp_path_factory.mktemp("damaged") / "lake")
    for kind in _REJECTED:
        damage = DAMAGES[kind]
        lake.put(damage.payer, f"{kind}.csv", damage.apply(sound[damage.payer]))
    outcome = lake.run()
    assert outcome.release is None
    return lake, {Path(file.name).stem: file for file in outcome.files}


def test_the_issue_names_are_all_here() -> None:
    """At least 24 kinds."""
    assert len(DAMAGES) >= 24


@pytest.mark.parametrize("kind", _REJECTED)
def test_a_damaged_file_is_rejected_whole_with_its_reason(kind: str, rejections: tuple[Lake, dict[str, Any]]) -> None:
    """The code is that of the damage, the sentence says what to look at, and no row of it is anywhere."""
    lake, outcomes = rejections
    file = outcomes[kind]
    assert (file.state, file.reason_code) == ("rejected", DAMAGES[kind].outcome)
    assert len(file.reason) > 20
    entry = lake.site().ledger.find(file.sha256)
    assert (entry.state, entry.reason_code, entry.batch_id) == ("rejected", DAMAGES[kind].outcome, None)


def test_a_reason_never_holds_a_cell(rejections: tuple[Lake, dict[str, Any]], sound: dict[str, bytes]) -> None:
    """No member, claim or provider of the files stands in any message."""
    _, outcomes = rejections
    cells = {
        cell
        for payer in ("bluecross", "unitedhealth")
        for line in sound[payer].decode().splitlines()[1:50]
        for cell in line.replace("|", ",").split(",")
        if len(cell) > 7
    }
    told = " ".join(file.reason for file in outcomes.values())
    assert not [cell for cell in cells if cell in told]


def test_a_rejected_file_does_not_hold_up_the_others(sound: dict[str, bytes], lake: Lake) -> None:
    """The sound file beside it is released; the rejected one is listed and has no row."""
    lake.put("bluecross", "good.csv", sound["bluecross"])
    lake.put("bluecross", "bad.csv", DAMAGES["column_renamed"].apply(sound["bluecross"]))
    outcome = lake.run()
    assert outcome.release == 1
    assert {file.name: file.state for file in outcome.files} == {"bluecross/bad.csv": "rejected", "bluecross/good.csv": "published"}
    assert {row["file_name"] for row in lake.rows("healthcare.claims_raw", "file_name")} == {"bluecross/good.csv"}


@pytest.mark.parametrize("kind", _SAME_CONTENT)
def test_harmless_damage_changes_no_value(kind: str, sound: dict[str, bytes], lake: Lake, tmp_path: Path) -> None:
    """Order of columns, byte order mark, line ends and an added column leave every claim line as it was."""
    damage = DAMAGES[kind]
    lake.put(damage.payer, "damaged.csv", damage.apply(sound[damage.payer]))
    plain = Lake(tmp_path / "plain")
    plain.put(damage.payer, "plain.csv", sound[damage.payer])
    outcome = lake.run()
    plain.run()
    assert clean_rows(lake) == clean_rows(plain)
    if kind == "column_added":
        assert any("column_added" in warning for warning in outcome.files[0].warnings)
        assert all(row["extra"] for row in lake.rows("healthcare.claims_raw", "extra"))


def test_a_dropped_optional_column_is_null_and_told(sound: dict[str, bytes], lake: Lake) -> None:
    """The file is loaded with a warning that names the column."""
    damage = DAMAGES[_OPTIONAL]
    lake.put(damage.payer, "damaged.csv", damage.apply(sound[damage.payer]))
    outcome = lake.run()
    assert outcome.release == 1
    assert any("column_missing_optional" in warning for warning in outcome.files[0].warnings)


@pytest.mark.parametrize("kind", [kind for kind in DAMAGES if kind.startswith("header_only")])
def test_a_header_alone_is_published_with_no_row(kind: str, sound: dict[str, bytes], lake: Lake) -> None:
    """An empty day is a day: 0 rows and a warning."""
    damage = DAMAGES[kind]
    lake.put(damage.payer, "damaged.csv", damage.apply(sound[damage.payer]))
    outcome = lake.run()
    assert (outcome.release, outcome.files[0].records) == (1, 0)
    assert any("header_only" in warning for warning in outcome.files[0].warnings)
    assert lake.run().release is None


def test_blank_lines_are_accounted_for(sound: dict[str, bytes], lake: Lake) -> None:
    """A blank line is a record of the wrong width: set aside, the others loaded."""
    damage = DAMAGES["blank_lines"]
    lake.put(damage.payer, "damaged.csv", damage.apply(sound[damage.payer]))
    lake.run()
    errors = [error["rule_id"] for row in lake.rows("healthcare.claims_quarantined", "errors") for error in row["errors"]]
    assert set(errors) == {"row_width"}
    records = len(lake.rows("healthcare.claims_raw", "record_number"))
    assert records == damage.apply(sound[damage.payer]).count(b"\n") - 1


def clean_rows(lake: Lake) -> list[dict[str, Any]]:
    """claims_clean without what names the file."""
    return sorted(({k: v for k, v in row.items() if k not in _UNCOMPARED} for row in lake.rows("healthcare.claims_clean")), key=repr)
