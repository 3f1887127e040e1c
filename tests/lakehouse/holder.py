"""A process that takes the lock, says so, and then holds, checks or publishes on command (one word a line on stdin)."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from medflow.errors import MedflowError
from medflow.lakehouse.database import connect
from medflow.lakehouse.lock import WriterLock


def main(home: Path, name: str) -> None:
    lock = WriterLock(connect(f"sqlite:///{home / 'lake.db'}"), home / "write.lock", lambda: datetime.now(UTC))
    try:
        lock.acquire(name)
        print(f"got {lock.token}", flush=True)
    except MedflowError as error:
        print(f"{type(error).__name__} {error}", flush=True)
    for line in sys.stdin:
        try:
            {"check": lock.check, "release": lock.release}[line.strip()]()
            print("ok", flush=True)
        except MedflowError as error:
            print(type(error).__name__, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
