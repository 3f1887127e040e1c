"""`medflow demo`: sample claims of three payers to a release, and a look at it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medflow.cli.console import json_option, order_of, print_json, print_table, progress, site_of
from medflow.errors import UsageError

if TYPE_CHECKING:
    from spark_jobs.outcome import RunOutcome
    from spark_jobs.pipeline import Site

_CLAIMS, _SEED, _DEFECTS = 5000, 7, 0.04
_RUN_DATE = "2026-07-01"
_QUESTIONS = (
    "What is the average claim amount for diabetes patients?",
    "Which payer has the highest denial rate?",
    "claims by month for Aetna in 2026",
    "How many claims will there be next year?",
)


@click.command()
@json_option
@click.pass_context
def demo(ctx: click.Context, as_json: bool) -> None:
    """Generate sample claims, run the pipeline on them, and show what came of it."""
    from medflow.cli.run import print_outcome

    outcome = sample_run(site := site_of(ctx))
    if as_json:
        print_json(outcome.to_dict())
        return
    click.echo(f"{_CLAIMS:,} claims of three payers, in three layouts: {sample_folder(site)}\n")
    print_outcome(outcome)
    _show_release(ctx)
    _ask(ctx)
    click.echo('\nnext:  medflow ask "..."   medflow status   medflow quarantine list   medflow verify   docs/follow-one-claim.md')


def sample_run(site: Site) -> RunOutcome:
    """The sample claims, landed and run.

    Raises:
        UsageError: the lake holds other files.
    """
    from spark_jobs.landing import land
    from spark_jobs.pipeline import run_pipeline

    sample = sample_folder(site)
    _write_sample(sample)
    _refuse_other_files(site, sample)
    with progress() as report:
        land(sample, site.landing, site.knowledge_base.layouts, report)
    with order_of(_RUN_DATE, 60) as order:
        return run_pipeline(site, order)


def sample_folder(site: Site) -> Path:
    """Where the sample's files are written."""
    return site.settings.home / "demo-files"


def _ask(ctx: click.Context) -> None:
    """Three questions with an answer, and one that must not have one."""
    from medflow.cli.ask import tell
    from rag_backend.assistant import opened

    with opened(site_of(ctx).settings, "analyst") as assistant:
        for question in _QUESTIONS:
            click.echo(f"\n> {question}")
            tell(assistant.ask(question, date.fromisoformat(_RUN_DATE)))


def _write_sample(folder: Path) -> None:
    from medflow.generate import SampleRequest, generate

    if not (folder / "truth.json").is_file():
        generate(SampleRequest(claims=_CLAIMS, seed=_SEED, out=folder, as_of=date(2026, 6, 30), defects=_DEFECTS))


def _refuse_other_files(site: Site, sample: Path) -> None:
    """Before anything is copied: sample claims must never stand among real ones."""
    from spark_jobs.landing import Landing, landing_files

    payers, landing = site.knowledge_base.layouts, site.landing
    here = landing_files(landing, payers) if landing.contents() else []
    known = {file.sha256 for file in here} | {entry.sha256 for entry in site.ledger.files()}
    if known - {file.sha256 for file in landing_files(Landing.local(sample), payers)}:
        raise UsageError("this lake holds other files than the demo's; give the demo a lake of its own: medflow --home .medflow-demo demo")


def _show_release(ctx: click.Context) -> None:
    from spark_jobs.pipeline import private_engine

    site = site_of(ctx)
    release = site.release()
    name = "healthcare_gold.claims_monthly_summary"
    with private_engine(site.settings) as engine:
        engine.files("summary", release.tables[name].files, site.knowledge_base.gold[name].spec)
        rows = engine.fetch_native(
            "SELECT payer_id, CAST(sum(claim_count) AS BIGINT) AS claims, sum(billed_amount) AS billed, sum(paid_amount) AS paid, "
            "round(100 * sum(denied_claim_count) / sum(adjudicated_claim_count), 1) AS denied FROM summary GROUP BY ALL ORDER BY payer_id"
        )
    shown = [(row["payer_id"], row["claims"], f"{row['billed']:,.2f}", f"{row['paid']:,.2f}", f"{row['denied']} %") for row in rows]
    click.echo()
    columns = ("payer", "claims", "billed, USD", "paid, USD", "denied of adjudicated")
    print_table(f"Release {release.number}: {name}", columns, shown, right=(1, 2, 3, 4))
