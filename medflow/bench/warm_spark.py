"""Way (c), warm: `medflow run --engine spark` twice in one process, a small lake first: `python -m medflow.bench.warm_spark --help`.

The Spark session outlives the first run; what the second prints is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path

from medflow.cli import medflow


def main() -> None:
    """Both runs. An error of either ends the program."""
    parser = argparse.ArgumentParser(description="The product on Spark, in a session that has run a small batch before.")
    parser.add_argument("first", type=Path, help="home of the lake that only warms the session up")
    parser.add_argument("second", type=Path, help="home of the lake that is timed")
    parser.add_argument("--date", required=True)
    parser.add_argument("--knowledge-base", required=True)
    given = parser.parse_args()
    for home in (given.first, given.second):
        said = io.StringIO()
        run = ["--home", str(home), "--knowledge-base", given.knowledge_base, "run", "--engine", "spark", "--date", given.date, "--json"]
        with contextlib.redirect_stdout(said):
            code = medflow.main(args=run, prog_name="medflow", standalone_mode=False)
        if code:
            raise SystemExit(code)
    print(said.getvalue())


if __name__ == "__main__":
    main()
