"""The `medflow` command. Each subcommand is imported when it is called; errors become one message and an exit code."""

from __future__ import annotations

import errno
import importlib
import sys
import traceback
from pathlib import Path

import click

from medflow import __version__
from medflow.errors import MedflowError

# Name -> module below medflow.cli, and the line that `medflow --help` shows without importing it.
COMMANDS = {
    "demo": ("demo", "Generate sample claims, run the pipeline, show what came of it."),
    "generate": ("generate", "Write sample claim files of three payers, and the truth about them."),
    "land": ("land", "Copy payer files to the landing folder."),
    "run": ("run", "Run the pipeline: landing files to a verified, published release."),
    "verify": ("verify", "Count the current release again, independently."),
    "status": ("status", "Show the current release, what waits, and what is due."),
    "releases": ("releases", "List releases; restore an older one."),
    "files": ("files", "List files; exclude, retry or reject one."),
    "ask": ("ask", "Ask a question in plain words."),
    "sql": ("ask", "Run one SELECT, as far as the role may read."),
    "setup": ("setup", "Set up vectors, which help to find what a question is about."),
    "refresh": ("refresh", "Bring the assistant to the current release, before somebody asks."),
    "serve": ("serve", "Answer questions over HTTP, on this machine alone."),
    "ui": ("ui", "Start the page and the API behind it; an empty lake gets sample claims first."),
    "eval": ("eval", "Put a bank of questions to the assistant and score it."),
    "maintain": ("maintain", "Compact tables, expire old releases, delete files that nothing needs."),
    "bench": ("bench", "Measure the same files and rules four ways on this machine."),
    "quarantine": ("quarantine", "List, show, replay or waive quarantined lines."),
}

_FUNCTIONS = {"eval": "eval_bank"}  # a function of the command's own name would hide Python's


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"medflow.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="medflow")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where the lake lives (MEDFLOW_HOME).")
@click.option("--knowledge-base", type=click.Path(path_type=Path, file_okay=False), help="Declarations (MEDFLOW_KNOWLEDGE_BASE).")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an unexpected error; it may hold data.")
@click.pass_context
def medflow(ctx: click.Context, home: Path | None, knowledge_base: Path | None, debug: bool) -> None:
    """A claims lakehouse: messy payer files in, verified tables out."""
    ctx.obj = {"home": home, "knowledge_base": knowledge_base, "debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(given))


def _run(arguments: list[str]) -> int:
    return ended(medflow, "medflow", arguments)


def ended(command: click.Command, name: str, arguments: list[str]) -> int:
    """Run a command under the name that its users type; its errors are told on standard error. Returns the exit code."""
    try:
        outcome = command.main(args=arguments, prog_name=name, standalone_mode=False)
    except MedflowError as error:
        if "--debug" in arguments and error.__cause__:
            traceback.print_exception(error.__cause__)
        return _told(str(error), error.exit_code)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _told("stopped; nothing was published, run again to go on", 1)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
            return 1
        return _told(_unexpected(error, name), 1)
    return outcome if isinstance(outcome, int) else 0


def _unexpected(error: Exception, name: str) -> str:
    """An error that no one foresaw, without its text: that may hold a cell's value."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free space below MEDFLOW_HOME and MEDFLOW_WAREHOUSE, then run again; nothing was published"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename} cannot be used: {error.strerror}; check its owner and permissions, then run again"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"unexpected {type(error).__name__} in {place}; nothing was published. `{name} --debug ...` shows all of it: please report that"


def _told(message: str, code: int) -> int:
    click.echo(f"medflow: {message}", err=True)
    return code
