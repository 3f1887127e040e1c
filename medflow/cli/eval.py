"""`medflow eval`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from medflow.cli.console import json_option, model_of, planner_option, print_json, print_table, progress, settings_of
from medflow.cli.figures import Figures, keep_figures, load_now
from medflow.digests import sha256_of
from medflow.errors import UsageError
from medflow.measurements import MeasuredOn, version_of_declarations
from medflow.settings import Settings

if TYPE_CHECKING:
    from rag_backend.model.base import Model

_SHOWN = 15
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("eval")
@click.argument("bank", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", metavar="N,SEED", help="Ask a new lake of N sample claims instead; it goes with the command.")
@planner_option
@click.option("--record", type=_FILE, help="Keep what the model replies in this file; it holds the questions, and no key.")
@click.option("--replay", type=_FILE, help="Ask nobody: take the replies from a file that --record wrote.")
@json_option
@click.pass_context
def eval_bank(ctx: click.Context, /, bank: Path, data: str | None, **chosen: Any) -> int:
    """Put a bank of questions to the assistant; exit 1 if an answer is wrong."""
    from medflow.specs.policy import ROLES
    from rag_backend.assistant import opened
    from rag_backend.evaluation import Bank, ask_all, scores

    load = load_now()
    with ExitStack() as stack, progress() as tell:
        settings = stack.enter_context(_sample_lake(ctx, data, tell)) if data else settings_of(ctx)
        tell("opening the release")
        # nothing kept: the second wording of a question would be as fast as its cache
        settings = settings.model_copy(update={"planner": chosen["planner"] or settings.planner, "cache": "none://"})
        model = stack.enter_context(_model(settings, chosen["record"], chosen["replay"]))
        by_role = {role: stack.enter_context(opened(settings, role, model=model)).services for role in ROLES}
        questions = Bank.of(bank, by_role["analyst"].release)
        tell(f"asking {len(questions.questions)} questions")
        result = scores(list(ask_all(questions, by_role)))
    if chosen["as_json"]:
        print_json(result)
    else:
        columns = ("asked", "answered", "right", "wrong", "coverage", "precision", "held_back", "rs10", "p95_ms")
        rows = [(name, *(score[column] for column in columns)) for name, score in {**result["slices"], "all": result["total"]}.items()]
        print_table(str(bank), ("slice", *columns), rows, right=range(1, len(columns) + 1))
        for failure in [one for one in result["failures"] if one["mark"] == "wrong"][:_SHOWN]:
            click.echo(f"wrong: {failure['wording']}\n       {failure['told']}")
    if chosen["replay"] and result["total"]["fallbacks"]:
        raise UsageError(f"{chosen['replay']} has no reply for {result['total']['fallbacks']} wordings: record them again")
    release = by_role["analyst"].release.number
    lake = {"claims": int(data.split(",")[0]), "seed": int(data.split(",")[1])} if data else {"release": release}
    _keep(settings, bank, result["total"], load=load, **lake)
    return 1 if result["total"]["wrong"] else 0


def _keep(settings: Settings, bank: Path, total: Mapping[str, Any], **on: Any) -> None:
    """Keep how right the answers were, where one planner read all of them."""
    if total["fallbacks"]:
        click.echo(f"medflow: {total['fallbacks']} wordings were not read by {settings.planner}: these figures are not kept", err=True)
        return
    figures: Figures = {
        "bank.precision": (total["precision"], "share"),
        "bank.coverage": (total["coverage"], "share"),
        "bank.p95": (total["p95_ms"], "ms"),
    }
    measured_on = MeasuredOn(
        knowledge_base=version_of_declarations(settings.knowledge_base),
        asked=bank.name,
        asked_sha256=sha256_of(bank),
        askings=total["asked"],
        planner=settings.planner,
        **on,
    )
    keep_figures(settings.app_db, figures, measured_on)


@contextmanager
def _model(settings: Settings, record: Path | None, replay: Path | None) -> Iterator[Model | None]:
    if (record or replay) and (settings.planner == "grammar" or (record and replay)):
        raise UsageError("--record and --replay are for a planner that asks a model: give one of them, with --planner claude")
    if not (record or replay):
        with model_of(settings) as model:
            yield model
        return
    from rag_backend.model.recorded import RecordedModel

    if replay:
        yield RecordedModel(None, replay, "replay")
    elif record:
        with model_of(settings) as model:
            yield RecordedModel(model, record, "record")


@contextmanager
def _sample_lake(ctx: click.Context, data: str, tell: Callable[[str], None]) -> Iterator[Settings]:
    """Settings of a lake of its own, with a release of generated claims, as long as the block lasts."""
    from medflow.generate import SampleRequest, generate
    from spark_jobs.pipeline import Order, Site, run_pipeline

    asked = re.fullmatch(r"(\d+),(\d+)", data.replace(" ", ""))
    if not asked:
        raise UsageError(f"--data {data} is not N,SEED, such as 10000,7")
    with TemporaryDirectory(prefix="medflow-eval-") as folder:
        home = Path(folder)
        own = {"catalog": f"sqlite:///{home / 'lake.db'}", "warehouse": (home / "warehouse").as_uri(), "landing": str(home / "landing")}
        settings = settings_of(ctx).model_copy(update={"home": home, **own})
        tell("generating claims")
        request = SampleRequest(claims=int(asked[1]), seed=int(asked[2]), out=settings.landing_folder)
        generate(request)
        tell("building a lake of them")
        order = Order(run_date=request.as_of + timedelta(days=1), clock=lambda: datetime.now(UTC), wait_seconds=0, report=tell)
        run_pipeline(Site.open(settings), order)
        yield settings
