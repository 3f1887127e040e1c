"""The shape of the code: import arrows, sizes, names, where SQL may run. A failure says why, and how to be exempted."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lake import ROOT

# Package -> packages of ours that it may import when it is imported. The command imports the others only when it runs them.
_ARROWS = {"medflow": {"medflow"}, "spark_jobs": {"medflow", "spark_jobs"}, "rag_backend": {"medflow", "rag_backend"}}
_ARROWS |= {"dags": {"medflow", "dags"}, "streamlit_app": {"streamlit_app"}}
_OURS = {"medflow", "spark_jobs", "rag_backend", "streamlit_app", "dags", "tests"}
_BANNED = re.compile(r"(Manager|Helper|Util|Common|Processor|Handler|Impl)(s)?$|V2$|^Enhanced")
_LINES, _FUNCTION_LINES, _ARGUMENTS, _NESTING = 400, 60, 4, 3
# Who may send SQL to an engine: the engines, and nothing else. `connection.execute` of SQLAlchemy is the ledger's.
# The plain script that `medflow bench` measures against runs SQL of its own, by design without anything of ours.
# The evaluation runs the SQL that a person wrote beside a question, on a connection of its own, to judge what the others say.
_SQL_SENDERS = {
    "spark_jobs/engines/duckdb.py",
    "medflow/bench/plain_duckdb.py",
    "rag_backend/engines/duckdb_reader.py",
    "rag_backend/engines/duckdb_worker.py",
    "rag_backend/evaluation.py",
}
# The assistant works for any knowledge base: what the data are about stands there and in tests.
_DOMAIN = re.compile(
    r"(?<![a-z])(claims?|payers?|patients?|denials?|diagnos[ei]s|medical|insur(er|ance)|hospitals?|physicians?|procedure_code|icd|npi|billed)(?![a-z])",
    re.I,
)
_HOSTS = re.compile(r"rep[o]1?\.mav[e]n\.|pythonh[o]sted\.|pyp[i]\.org|registry\.npm[j]s|deb\.debi[a]n\.|/w[o]rk/|/r[o]ot/")


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product, parsed."""
    for package in _ARROWS:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


_MODULES = list(modules())


def imported(nodes: list[ast.stmt]) -> Iterator[str]:
    """Names of the packages of ours that statements import, blocks of `if TYPE_CHECKING` left out."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(("path", "tree"), _MODULES, ids=[path for path, _ in _MODULES])
def test_import_arrows(path: str, tree: ast.Module) -> None:
    """medflow -> nothing of ours; spark_jobs -> medflow. Only medflow/cli may import others, inside a function."""
    package = path.split("/")[0]
    wrong = (set(imported(tree.body)) & _OURS) - _ARROWS[package]
    assert not wrong, f"{path} imports {wrong}: the arrows are in DESIGN; move the code, or import in the command's function"
    if not path.startswith("medflow/cli/"):
        inner = {name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for name in imported(node.body)}
        assert not (inner & _OURS) - _ARROWS[package], f"{path} hides an import of another package in a function"


@pytest.mark.parametrize(("path", "tree"), _MODULES, ids=[path for path, _ in _MODULES])
def test_sizes(path: str, tree: ast.Module) -> None:
    """Files up to 400 lines, functions up to 60, 4 positional arguments, nesting 3: beyond that there are two ideas."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= _LINES, f"{path}: split what has two ideas in it"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno <= _FUNCTION_LINES, f"{path}:{node.lineno} {node.name} is too long"
            if not path.startswith("medflow/cli/") and node.name != "__init__":
                given = [a.arg for a in [*node.args.posonlyargs, *node.args.args] if a.arg not in ("self", "cls")]
                assert len(given) <= _POSITIONAL.get(f"{path}:{node.name}", _ARGUMENTS), (
                    f"{path}:{node.lineno} {node.name}({', '.join(given)})"
                )


# Exempt, each with its reason: functions that put a run's parts together.
_POSITIONAL = {"spark_jobs/pipeline.py:_load": 6, "spark_jobs/pipeline.py:start_run": 6, "spark_jobs/inspect.py:_outcome": 5}
_POSITIONAL |= {"spark_jobs/pipeline.py:assembled": 6}
_POSITIONAL |= {"spark_jobs/gate.py:_drift": 6, "medflow/sql/check.py:_expression_problems": 4}
_POSITIONAL |= {"medflow/specs/knowledge_base.py:_check_expressions": 5}


@pytest.mark.parametrize(("path", "tree"), _MODULES, ids=[path for path, _ in _MODULES])
def test_names(path: str, tree: ast.Module) -> None:
    """Names are the field's words: no Manager, Helper, Util, Common, Processor, Handler, Impl."""
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert not [name for name in [*names, Path(path).stem.title().replace("_", "")] if _BANNED.search(name)], path


@pytest.mark.parametrize(("path", "tree"), _MODULES, ids=[path for path, _ in _MODULES])
def test_only_the_engines_send_sql(path: str, tree: ast.Module) -> None:
    """duckdb is imported by its engine alone, so that there is one place where SQL runs."""
    if path not in _SQL_SENDERS:
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert "duckdb" not in names, f"{path} imports duckdb: give the SQL to a build engine"


@pytest.mark.parametrize(("path", "tree"), _MODULES, ids=[path for path, _ in _MODULES])
def test_every_module_says_what_it_is(path: str, tree: ast.Module) -> None:
    """A docstring of 1 to 12 lines at the head of each module."""
    text = ast.get_docstring(tree)
    assert text, f"{path} has no docstring"
    assert len(text.splitlines()) <= (16 if path.endswith("errors.py") else 8), path


def test_only_settings_read_the_environment() -> None:
    """os.environ stands in one file a program, the page being one; and in one that writes: Airflow takes Spark's connection from there."""
    readers = {path for path, _ in _MODULES if "os.environ" in (ROOT / path).read_text(encoding="utf-8")}
    assert readers == {"medflow/settings.py", "streamlit_app/settings.py", "dags/spark_step.py"}
    writer = (ROOT / "dags/spark_step.py").read_text(encoding="utf-8")
    assert re.findall(r"os\.environ.*", writer) == re.findall(r"os\.environ\[f?\"AIRFLOW_CONN_.*\] = .*", writer)


@pytest.mark.parametrize("path", [path for path, _ in _MODULES if path.startswith("rag_backend/")])
def test_the_assistant_knows_no_domain(path: str) -> None:
    """No word of the claims domain stands in rag_backend/."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    assert not [f"{path}:{number}" for number, line in enumerate(lines, start=1) if _DOMAIN.search(line)]


def test_no_clock_inside_transforms() -> None:
    """Only the command asks what time it is; below it, clocks are arguments."""
    clocks = re.compile(r"datetime\.now|date\.today|time\.time\(")
    asking = [path for path, _ in _MODULES if clocks.search((ROOT / path).read_text(encoding="utf-8"))]
    assert [path for path in asking if not path.startswith("medflow/cli/")] == []


def test_nothing_names_a_registry_or_a_machine() -> None:
    """No registry's host and no machine's path in any tracked file."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = [path for path in listed if not path.endswith((".gz", ".png"))]
    found = [path for path in texts if (ROOT / path).is_file() and _HOSTS.search((ROOT / path).read_text(encoding="utf-8"))]
    assert found == []
