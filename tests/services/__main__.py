"""`make services`: every server for development, until Ctrl-C; prints the settings to export."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

from tests.services.stack import PORTS, stack


def main() -> int:
    """Start, print, wait. Data stay below `.medflow/services`; LocalStack forgets its objects."""
    folder = Path(".medflow/services").absolute()
    print(f"starting {', '.join(PORTS)}; logs in {folder}", file=sys.stderr, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with stack(folder, PORTS) as running:
        for name, value in running.settings.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        if running.airflow:
            print(f"Airflow: {running.airflow.url}, admin, {running.airflow.password}", file=sys.stderr, flush=True)
        print("running; Ctrl-C ends all of them", file=sys.stderr, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ending", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
