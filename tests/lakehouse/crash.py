"""Publishes a second release again and again, each time in a fork that is killed one statement later.

`python -m tests.lakehouse.crash HOME`: for each line on stdin one attempt; prints how it ended. Imports once, forks often.
"""

import os
import signal
import sys
from pathlib import Path

from sqlalchemy import event

from tests.lakehouse.small_lake import SPECS, SmallLake, row


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def arm(engine, survived):
    """Kill this process after `survived` statements of the publishing transaction; its COMMIT counts twice: before, after."""
    left = [survived, False]

    def statement(_connection, _cursor, text, *_):
        left[1] = left[1] or text.startswith("UPDATE medflow_lock SET heartbeat")
        if left[1]:
            count()

    def count():
        if left[0] == 0:
            die()
        left[0] -= 1

    commit = engine.dialect.do_commit

    def do_commit(connection):
        if left[1]:
            count()
        commit(connection)
        if left[1]:
            count()

    event.listen(engine, "before_cursor_execute", statement)
    engine.dialect.do_commit = do_commit


def attempt(home, survived):
    small = SmallLake.at(home, "b2")
    writer = small.begin("b2", 2)
    for spec in SPECS:
        writer.replace(spec.name, [small.write(writer, spec.name, [row(2)])], None)
    publication = small.publication(writer, "b2", 2)
    arm(small.lake.engine, survived)
    small.publish(publication)


def main(home):
    for survived, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            attempt(home, survived)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
