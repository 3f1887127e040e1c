"""The same files through both engines: identical tables, as multisets of rows with their schema."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from medflow.errors import GateRefused
from medflow.generate import SampleRequest, generate
from medflow.generate.damage import DAMAGES
from medflow.lakehouse.catalog import Lake as Tables
from spark_jobs.restore import restore
from spark_jobs.rework import Selection, rebuild, replay, waive
from spark_jobs.run import QUALITY
from tests.support.claims import WRITERS, Line, Version
from tests.support.counts import counted
from tests.support.lake import ROOT, RUN_DATE, Lake, copied_knowledge_base, order

Filled = Callable[[Lake], None]
TwoLakes = Callable[..., tuple[Lake, Lake]]
_PROVIDERS = b"npi,name,specialty,state\n1234567893,Ann Lee,Cardiology,TX\n123,No Check,Cardiology,TX\n"
_REAL = ROOT.parent / "shared/data"


def same(lakes: tuple[Lake, Lake]) -> None:
    """Every table of both releases: columns with types, and rows."""
    mine, theirs = (lake.release() for lake in lakes)
    assert mine.number == theirs.number
    for name, table in mine.tables.items():
        assert [(c.name, c.type) for c in table.columns] == [(c.name, c.type) for c in theirs.tables[name].columns]
    expected, found = lakes[0].content(), lakes[1].content()
    for name, rows in expected.items():
        assert found[name] == rows, name
    assert sum(map(len, expected.values())) > 0


def test_a_generated_sample(two_lakes: TwoLakes, tmp_path: Path) -> None:
    """Three payers, replacements, reversals, duplicates, every defect; then the same again with more claims on top."""
    generate(SampleRequest(claims=counted(600, 20000), seed=5, out=tmp_path / "a", defects=0.05))
    generate(SampleRequest(claims=counted(300, 5000), seed=6, out=tmp_path / "b", defects=0.02))
    lakes = two_lakes(lambda lake: shutil.copytree(tmp_path / "a", lake.landing, ignore=shutil.ignore_patterns("truth.json")))
    for lake in lakes:
        lake.run()
    same(lakes)
    for lake in lakes:
        for path in (tmp_path / "b").glob("*/*claims*"):
            lake.put(path.parent.name, f"later-{path.name}", path.read_bytes())
        lake.run()
    same(lakes)


def test_damaged_files(two_lakes: TwoLakes, tmp_path: Path) -> None:
    """Each kind of damage: the same files are rejected for the same reason, and what is loaded is the same."""
    generate(SampleRequest(claims=120, seed=3, out=tmp_path / "sound"))
    sound = {path.parent.name: path.read_bytes() for path in (tmp_path / "sound").glob("*/*claims*")}

    def fill(lake: Lake) -> None:
        for kind, damage in DAMAGES.items():
            lake.put(damage.payer, f"{kind}.csv", damage.apply(sound[damage.payer]))

    lakes = two_lakes(fill)
    outcomes = []
    for lake in lakes:
        try:
            outcome = lake.run()
        except GateRefused as refusal:
            outcomes.append(str(refusal))
        else:
            outcomes.append([(file.name, file.state, file.reason_code, file.reason, file.warnings) for file in outcome.files])
    assert outcomes[0] == outcomes[1]
    same(lakes)


@pytest.mark.skipif(not _REAL.is_dir(), reason="../shared/data is not beside this checkout: the real input files are not shipped")
def test_real_inputs(two_lakes: TwoLakes, tmp_path: Path) -> None:
    """Two files that nobody here wrote, each a payer by one YAML file."""
    base = copied_knowledge_base(tmp_path / "kb")
    for path in (ROOT / "tests/data/payers").glob("*.yaml"):
        shutil.copy(path, base / "payers")
    gate = base / "gate.yaml"
    gate.write_text(gate.read_text().replace("refuse_at: 0.10", "refuse_at: 1.0"))

    def fill(lake: Lake) -> None:
        lake.put("cms_carrier", "carrier.csv", (_REAL / "cms_carrier/carrier.csv").read_bytes())
        lake.put("denials_1k", "claim_data.csv", (_REAL / "denials_1k/claim_data.csv").read_bytes())

    lakes = two_lakes(fill, base)
    for lake in lakes:
        lake.run()
    same(lakes)


def versions() -> list[Version]:
    """40 claims over three months, a replacement, a reversal, and one with a line in error."""
    paid = [Version(f"C{n}", service=date(2026, 1 + n % 3, 5), received=date(2026, 4, 1), adjudicated=date(2026, 4, 9)) for n in range(40)]
    claims = [replace(version, paid_on=date(2026, 4, 10)) for version in paid]
    bad = [replace(claims[0], claim=f"BAD{n}", lines=(Line(1), Line(2, units=0))) for n in range(2)]
    return [*claims, replace(claims[1], sequence=1, service=date(2026, 3, 2)), replace(claims[2], sequence=1, status="reversed"), *bad]


def test_rebuild_replay_waive_and_restore(two_lakes: TwoLakes) -> None:
    """Everything that makes a release without a new file does it alike on both engines."""

    def fill(lake: Lake) -> None:
        for payer, writer in WRITERS.items():
            lake.put(payer, "1.csv", writer(versions()))
        lake.put("reference", "providers.csv", _PROVIDERS)

    lakes = two_lakes(fill)
    for lake in lakes:
        lake.run()
        waive(lake.site(), order(), Selection(payer="aetna"))
    same(lakes)
    for lake in lakes:
        rebuild(lake.site(), order(), "claims_history")
        rebuild(lake.site(), order(), "denial_reasons")
    same(lakes)
    for lake in lakes:
        _restore(lake, 1)
    same(lakes)


def test_a_replay_after_a_rule_was_mended(two_lakes: TwoLakes, tmp_path: Path) -> None:
    """Lines that a changed rule accepts are loaded from the queue, on both engines the same ones."""
    base = copied_knowledge_base(tmp_path / "kb")

    def fill(lake: Lake) -> None:
        for payer, writer in WRITERS.items():
            lake.put(payer, "1.csv", writer(versions()))

    lakes = two_lakes(fill, base)
    for lake in lakes:
        lake.run()
    contract = base / "silver/claim_line.yaml"
    text = contract.read_text()
    assert "units < 1" in text
    contract.write_text(text.replace("units < 1", "units < 0"))
    outcomes = [replay(lake.site(), order(), Selection()) for lake in lakes]
    written = [{name: rows for name, rows in outcome.rows.items() if name != QUALITY} for outcome in outcomes]
    assert written[0] == written[1]
    assert outcomes[0].release == 2
    same(lakes)


def _restore(lake: Lake, number: int) -> None:
    site, when = lake.site(), order()
    with site.lock(when) as lock:
        lock.acquire("restore")
        tables = Tables(site.database, site.settings.warehouse)
        restore(tables, site.ledger, lock, number, run_date=RUN_DATE, created_at=when.clock())
