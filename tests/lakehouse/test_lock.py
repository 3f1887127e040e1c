"""One writer at a time, among real processes: dead, stopped and woken ones."""

import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import cached_property

import pytest
from sqlalchemy import update

from medflow.errors import FencedError, LockedError
from medflow.lakehouse import lock as lock_module
from medflow.lakehouse.database import connect, writing
from medflow.lakehouse.ledger_tables import LOCK
from medflow.lakehouse.lock import WriterLock, lock_holder


class Process:
    """A holder in a process of its own."""

    def __init__(self, home, name):
        command = [sys.executable, "-m", "tests.lakehouse.holder", str(home), name]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @cached_property
    def first(self):
        """Whether it got the lock."""
        return self.child.stdout.readline().strip()

    def ask(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()


@pytest.fixture
def process(tmp_path):
    started = []

    def start(*names):
        fresh = [Process(tmp_path, name) for name in names]
        started.extend(fresh)
        assert all(one.first for one in fresh)
        return fresh[0] if len(fresh) == 1 else fresh

    yield start
    for one in started:
        one.kill()
        one.child.stdin.close()
        one.child.stdout.close()


@pytest.fixture
def engine(tmp_path):
    return connect(f"sqlite:///{tmp_path / 'lake.db'}")


@pytest.fixture
def new_lock(tmp_path, engine):
    made = []

    def make(clock=lambda: datetime.now(UTC)):
        made.append(WriterLock(engine, tmp_path / "write.lock", clock))
        return made[-1]

    yield make
    for one in made:
        one.release()


def set_back(engine, seconds):
    """As if the holder had last beaten so long ago."""
    with writing(engine) as connection:
        connection.execute(update(LOCK).values(heartbeat=datetime.now(UTC) - timedelta(seconds=seconds)))


def test_the_second_writer_hears_who_holds_the_lake(new_lock, process):
    """Holder, process, since when, last sign of life and what to do; waiting ends when it is free."""
    other = process("batch-a")
    with pytest.raises(LockedError) as error:
        new_lock().acquire("batch-b")
    told = r"batch-a \(process .+:\d+\) holds the lake since .* UTC, last sign of life \d+ s ago. Wait"
    assert re.match(f"batch {told}", str(error.value))
    assert other.ask("release") == "ok"
    assert new_lock().acquire("batch-b").token == 2


def test_waiting_polls_until_the_lake_is_free(new_lock, process):
    """The callback hears each refusal; the lock is taken as soon as it is given back."""
    other, heard = process("batch-a"), []

    def waiting(error):
        heard.append(str(error))
        if len(heard) == 2:
            other.ask("release")

    assert new_lock().acquire("batch-b", wait_seconds=20, waiting=waiting).token == 2
    assert len(heard) == 2


def test_waiting_has_an_end(new_lock, process, monkeypatch):
    """After `wait_seconds` the refusal is raised."""
    monkeypatch.setattr(lock_module, "POLL_SECONDS", 0.05)
    process("batch-a")
    with pytest.raises(LockedError):
        new_lock().acquire("batch-b", wait_seconds=0.2)


def test_a_killed_holder_is_taken_over_at_once(new_lock, process):
    """kill -9 frees the lock file; the token goes up."""
    other = process("batch-a")
    other.kill()
    assert other.first == "got 1"
    assert new_lock().acquire("batch-b").token == 2


def test_a_stopped_holder_is_taken_over_after_a_minute_and_fenced_when_it_wakes(engine, new_lock, process):
    """SIGSTOP, silence, takeover, SIGCONT: the old process may not go on, nor give back what is not its own."""
    other = process("batch-a")
    other.signal(signal.SIGSTOP)
    set_back(engine, 59)
    with pytest.raises(LockedError):
        new_lock().acquire("batch-b")
    set_back(engine, 61)
    mine = new_lock().acquire("batch-b")
    other.signal(signal.SIGCONT)
    assert other.ask("check") == "FencedError"
    assert other.ask("release") == "ok"
    mine.check()
    assert lock_holder(engine)["holder"] == "batch-b"


def test_the_one_who_took_over_is_not_taken_over_when_the_stopped_process_dies(engine, new_lock, process):
    """The death of the first frees only the old lock file; the newcomer's is in its place."""
    other = process("batch-a")
    other.signal(signal.SIGSTOP)
    set_back(engine, 61)
    mine = new_lock().acquire("batch-b")
    other.kill()
    assert process("batch-c").first.startswith("LockedError")
    mine.check()


def test_a_live_holder_is_not_silent(engine, new_lock, process, monkeypatch):
    """The holder beats by itself."""
    monkeypatch.setattr(lock_module, "BEAT_SECONDS", 0.05)
    with new_lock().acquire("batch-a") as held:
        set_back(engine, 59)
        deadline = time.monotonic() + 5
        while (beat := lock_holder(engine)["heartbeat"]) < datetime.now(UTC) - timedelta(seconds=5):
            assert time.monotonic() < deadline, beat
            time.sleep(0.05)
        held.check()
        assert process("batch-b").first.startswith("LockedError")


def test_two_at_once_one_wins(process):
    """Of five processes that start together exactly one holds the lake."""
    started = process(*(f"batch-{number}" for number in range(5)))
    assert sorted(one.first.split()[0] for one in started) == ["LockedError"] * 4 + ["got"]


def test_two_takeovers_of_one_silent_holder_give_one_writer(engine, new_lock, process):
    """The second finds a fresh heartbeat."""
    process("batch-a").signal(signal.SIGSTOP)
    set_back(engine, 61)
    assert process("batch-b").first == "got 2"
    with pytest.raises(LockedError, match="batch-b"):
        new_lock().acquire("batch-c")


def test_a_lock_file_replaced_in_the_meantime_is_worth_nothing(new_lock, monkeypatch):
    """Whoever locks the old file just when a takeover puts a new one in its place has not got the lake."""
    real = lock_module._locked

    def locked_too_late(path):
        file = real(path)
        path.with_name("fresh").touch()
        path.with_name("fresh").replace(path)
        return file

    monkeypatch.setattr(lock_module, "_locked", locked_too_late)
    with pytest.raises(LockedError, match="starting"):
        new_lock().acquire("batch-a")


def test_a_holder_on_another_machine_is_waited_for(engine, new_lock):
    """Its lock file says nothing here: only a silent heartbeat does."""
    with new_lock().acquire("batch-a"):
        pass
    with writing(engine) as connection:
        connection.execute(update(LOCK).values(holder="batch-far", who="elsewhere:1", heartbeat=datetime.now(UTC)))
    with pytest.raises(LockedError, match="elsewhere:1"):
        new_lock().acquire("batch-b")
    set_back(engine, 61)
    assert new_lock().acquire("batch-b").token == 2


def test_a_holder_with_another_lock_file_is_waited_for(engine, new_lock, tmp_path):
    """Two homes with one catalog: the free file of one says nothing about the other's holder."""
    other = WriterLock(engine, tmp_path / "other.lock", lambda: datetime.now(UTC)).acquire("batch-a")
    with pytest.raises(LockedError, match="batch-a"):
        new_lock().acquire("batch-b")
    other.release()
    assert new_lock().acquire("batch-b").token == 2


def test_the_guard_stops_a_takeover_in_the_middle_of_a_publish(engine, new_lock):
    """With the guard inside a transaction, its row cannot change hands before the commit; a fenced guard raises."""
    held = new_lock().acquire("batch-a")
    with writing(engine) as connection:
        held.guard(connection)
    with writing(engine) as connection:
        connection.execute(update(LOCK).values(token=7))
    with pytest.raises(FencedError), writing(engine) as connection:
        held.guard(connection)
    with pytest.raises(FencedError, match="medflow status"):
        held.check()


def test_a_lock_given_back_checks_no_more(new_lock):
    """After `release`, check raises; a second release is nothing."""
    lock = new_lock().acquire("batch-a")
    lock.release()
    lock.release()
    with pytest.raises(FencedError):
        lock.check()
