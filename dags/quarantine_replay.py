"""Judging quarantined lines again after a rule or a mapping was mended: started by a person, with parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import DAG, Context, Param, chain

from dags.assets import payers, table_assets
from dags.commands import RETRIES, WAIT, CommandOperator, only
from dags.turns import RUN_DATE, run_date_param, wait_for_claims

DOC = """
### Replay of quarantined lines

Judges open lines of the quarantine again, with their siblings, under the declarations of today; what passes is loaded and published
as one release, under the day on which each line was first seen. Nothing is selected twice: a line that was loaded is closed.

`preview` counts the open lines that payer, rule and batch select; see them with `medflow quarantine list`. With `preview_only` the
run ends there. Where no line passes, `replay` is skipped and nothing changes. Reference: `docs/decisions/0006-rebuilds.md`.
"""
_CHOSEN = ["--payer={{ params.payer }}", "--rule={{ params.rule }}", "--batch={{ params.batch }}"]


def _selected(view: Mapping[str, Any]) -> dict[str, Any]:
    """Counts alone: the list also names lines and files."""
    return {"lines": view["total"], "counts": view["counts"]}


def _no_line(view: Mapping[str, Any]) -> str | None:
    return None if view["total"] else "no open line is selected; nothing to replay"


def _nothing_passed(outcome: Mapping[str, Any]) -> str | None:
    return "no selected line passes the rules as they are declared now; nothing changed" if outcome["release"] is None else None


def _only_a_preview(context: Context) -> str | None:
    return "the lines were counted; start it again without preview_only to replay them" if context["params"]["preview_only"] else None


def _optional(pattern: str, title: str) -> Param:
    return Param(None, type=["null", "string"], pattern=pattern, title=title)


with DAG(
    "quarantine_replay",
    description="Judge quarantined lines again",
    doc_md=DOC,
    schedule=None,
    max_active_runs=1,
    default_args=RETRIES,
    params={
        "payer": Param(None, type=["null", "string"], enum=[None, *payers()], title="Payer"),
        "rule": _optional("^[a-z][a-z0-9_]{0,63}$", "Rule that the lines broke"),
        "batch": _optional("^[0-9a-f]{16}$", "Batch that set the lines aside"),
        "rows": Param(
            [], type="array", items={"type": "string", "pattern": "^[0-9a-f]{8,64}$"}, maxItems=1000, title="Row ids; none = all"
        ),
        "preview_only": Param(False, type="boolean", title="Count, and end there"),
        "run_date": run_date_param(),
    },
    render_template_as_native_obj=True,
    tags=["medflow"],
):
    listing = ["medflow", "quarantine", "list", "--status", "open", "--limit", 1, *_CHOSEN, "--json"]
    replay = ["medflow", "quarantine", "replay", *_CHOSEN, f"--date={RUN_DATE}", WAIT, "--json", "{{ params.rows }}"]
    chain(
        wait_for_claims(),
        CommandOperator(task_id="preview", arguments=listing, keep=_selected, nothing=_no_line),
        CommandOperator(
            task_id="replay",
            arguments=replay,
            keep=only("batch_id", "release", "rows"),
            before=_only_a_preview,
            nothing=_nothing_passed,
            outlets=table_assets(),
        ),
    )
