"""The scripted server by hand: `python -m rag_backend.model.scripted --script FILE --port 0`. It ends with Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from medflow.errors import MedflowError
from rag_backend.model.scripted import Limits, ScriptedModel, load_script


def main(arguments: list[str] | None = None) -> int:
    """Serve a script until interrupted; the exit code."""
    given = _parser().parse_args(arguments)
    try:
        server = ScriptedModel(load_script(given.script), limits=Limits(), port=given.port)
    except (MedflowError, OSError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, MedflowError) else 1
    with server:
        print(f"MEDFLOW_MODEL_BASE_URL={server.url} ANTHROPIC_API_KEY={server.key}", flush=True)
        try:
            while True:
                time.sleep(3_600)
        except KeyboardInterrupt:
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rag_backend.model.scripted", description="The Messages API, played from a script.")
    parser.add_argument("--script", type=Path, required=True, help="a YAML or JSON file of rules")
    parser.add_argument("--port", type=int, default=0, help="0 = any that is free")
    return parser


if __name__ == "__main__":
    sys.exit(main())
