"""Reads the current release over and over until HOME/stop exists; prints a line after the first read and one at the end."""

import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from medflow.lakehouse.database import connect
from medflow.lakehouse.releases import read_release

PAUSE_SECONDS = 0.05


def main(home):
    engine, reads, last = connect(f"sqlite:///{home / 'lake.db'}", create=False), 0, 0
    while not (home / "stop").exists():
        release = read_release(engine)
        files = {name: table.files for name, table in release.tables.items()}
        found = {name: [pq.read_table(path)["marker"].to_pylist() for path in paths] for name, paths in files.items()}
        if any(markers != [[release.number]] for markers in found.values()) or release.number < last:
            print(f"release {release.number} after {last}: {found}", flush=True)
            return
        reads, last = reads + 1, release.number
        if reads == 1:
            print("reading", flush=True)
        time.sleep(PAUSE_SECONDS)
    print(f"{reads} reads, last {last}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
