"""`medflow eval`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from medflow.cli.console import json_option, print_json, print_table, progress, settings_of

_SHOWN = 15


@click.command("eval")
@click.argument("bank", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def eval_bank(ctx: click.Context, bank: Path, as_json: bool) -> int:
    """Put a bank of questions to the assistant; exit 1 if an answer is wrong."""
    from medflow.specs.policy import ROLES
    from rag_backend.assistant import opened
    from rag_backend.evaluation import Bank, ask_all, scores

    settings = settings_of(ctx)
    with ExitStack() as stack, progress() as tell:
        tell("opening the release")
        by_role = {role: stack.enter_context(opened(settings, role)).services for role in ROLES}
        questions = Bank.of(bank, by_role["analyst"].release)
        tell(f"asking {len(questions.questions)} questions")
        result = scores(list(ask_all(questions, by_role)))
    if as_json:
        print_json(result)
    else:
        columns = ("asked", "answered", "right", "wrong", "coverage", "precision", "held_back", "rs10", "p95_ms")
        rows = [(name, *(score[column] for column in columns)) for name, score in {**result["slices"], "all": result["total"]}.items()]
        print_table(str(bank), ("slice", *columns), rows, right=range(1, len(columns) + 1))
        for failure in [one for one in result["failures"] if one["mark"] == "wrong"][:_SHOWN]:
            click.echo(f"wrong: {failure['wording']}\n       {failure['told']}")
    return 1 if result["total"]["wrong"] else 0
