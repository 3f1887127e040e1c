"""The plan: the steps of a run in order, and one loop. The order is the architecture.

Each step takes the run and writes only to the batch's branch; readers see nothing before `publish`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from medflow.lakehouse.ledger_entries import FileState
from spark_jobs.bronze import build_bronze, land_bronze
from spark_jobs.gate import gate_result, pass_gate, payer_statistics
from spark_jobs.gold import build_gold
from spark_jobs.providers import build_providers
from spark_jobs.publish import Publication, publish
from spark_jobs.quality_log import note_findings, write_quality_log
from spark_jobs.recompute import recompute
from spark_jobs.reference import load_code_lists
from spark_jobs.run import PROVIDERS, Run
from spark_jobs.silver import build_silver
from spark_jobs.verify import Verifier, refuse_disagreement


@dataclass(frozen=True)
class Step:
    """One step: its name, what it does, and the state that the batch's files reach with it."""

    name: str
    work: Callable[[Run], None]
    reaches: FileState | None = None


def open_branches(run: Run) -> None:
    """Tables made or evolved as declared; the batch's branch at current main."""
    run.writer.open(run.knowledge_base.table_specs)


def verify_bronze(run: Run) -> None:
    """Every record of every file of the load is in claims_raw once."""
    if not run.batch.brings_files:
        return
    findings = _verifier(run).bronze({file.sha256: file.records for file in run.batch.files})
    note_findings(run, findings)
    refuse_disagreement(findings)


def verify_silver(run: Run) -> None:
    """Lines and cents reconciled; current versions told another way."""
    verifier = _verifier(run)
    findings = verifier.silver()
    if PROVIDERS in run.rows:
        findings += verifier.providers()
    note_findings(run, findings)
    refuse_disagreement(findings)


def verify_gold(run: Run) -> None:
    """Keys, ties and checks of the gold partitions that were rebuilt."""
    verifier = _verifier(run)
    load_code_lists(run.verifier, run.knowledge_base)
    findings = []
    for name, table in run.knowledge_base.gold.items():
        if name not in run.rows:
            continue
        months = run.touched.received_months if table.touched_by == "received_date" else run.touched.service_months
        whole = name in run.batch.rebuild or name in run.due_gold
        findings += verifier.gold(table, None if whole else months)
    note_findings(run, findings)
    refuse_disagreement(findings)


def recompute_layers(run: Run) -> None:
    """What another engine than the verifier built, the verifier builds again from the same inputs: every row must agree."""
    if run.built_with == run.verifier.name:
        return
    findings = recompute(run, run.verifier)
    note_findings(run, findings)
    refuse_disagreement(findings)


def publish_release(run: Run) -> None:
    """One transaction; the release is visible, whole, or not at all."""
    written = [spec.name for spec in run.knowledge_base.table_specs]
    publication = Publication(
        batch_id=run.batch.id,
        kind=run.batch.kind,
        heads={name: run.writer.head(name, "branch") for name in written},
        run_date=run.run_date,
        created_at=run.started_at,
        declarations=run.knowledge_base.hash,
        fingerprints=run.fingerprints,
        files=[(file.payer, file.sha256) for file in run.batch.files] if run.batch.brings_files else [],
        waived=run.waived,
        expires=run.expires,
        result={"gate": gate_result(run), "rows": run.rows, "statistics": payer_statistics(run)},
    )
    run.release = publish(run.lake, run.ledger, run.lock, publication)


STEPS = (
    Step("open", open_branches),
    Step("bronze", build_bronze),
    Step("silver", build_silver),
    Step("land bronze", land_bronze),
    Step("providers", build_providers),
    Step("verify bronze", verify_bronze, "bronze"),
    Step("verify silver", verify_silver, "silver"),
    Step("quality gate", pass_gate, "gated"),
    Step("gold", build_gold),
    Step("verify gold", verify_gold),
    Step("recompute", recompute_layers),
    Step("quality log", write_quality_log),
    Step("publish", publish_release),
)


def walk(run: Run, names: Collection[str] | None = None) -> None:
    """Every step in order, or those named; a killed run begins again from the first, on branches set back to main."""
    for step in STEPS:
        if names is not None and step.name not in names:
            continue
        run.report(step.name)
        run.lock.check()
        step.work(run)
        if step.reaches and run.batch.kind == "load":
            run.ledger.set_states([(file.payer, file.sha256) for file in run.batch.files], step.reaches, run.batch.id)
        if run.nothing_to_publish:
            return


def _verifier(run: Run) -> Verifier:
    def files(table: str) -> list[str]:
        return [file.path for file in run.writer.files(table, "branch")]

    whole_lake = not run.batch.brings_files
    return Verifier(run.verifier, run.knowledge_base, files, None if whole_lake else run.batch.id)
