"""Who asks the same at once has it computed once; who waits can give up, and nobody waits for one who has failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from rag_backend.cache.caches import cache_of
from rag_backend.cache.kept import Form, Kept
from rag_backend.cache.signed import Signed
from rag_backend.engines.base import Cancellation, QueryCancelled, QueryTimeout
from tests.cache.conftest import SECRET, eventually

_PATIENCE = 60.0


class Work:
    """A computation that a test holds up, and counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, value: str = "value") -> str:
        with self._lock:
            self.begun += 1
        assert self.go.wait(_PATIENCE)
        return value


def _texts(url: str = "memory://", *, patience: float = _PATIENCE, lasts: Callable[[str], bool] = bool) -> Kept[str]:
    return Kept(Signed(cache_of(url), SECRET), Form(str.encode, bytes.decode, lasts), 60, patience)


def _waiting(kept: Kept[str], key: str = "key") -> bool:
    return key in kept._flights._under_way


@pytest.mark.parametrize("url", ["memory://", "none://"])
def test_askers_at_once_have_one_computation(url: str) -> None:
    """Eight threads, one computation, one value; seven waited. Also where nothing is kept."""
    kept, work = _texts(url), Work()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(kept.once, "key", work, Cancellation()) for _ in range(8)]
        assert eventually(lambda: work.begun > 0)
        time.sleep(0.3)
        work.go.set()
        found = [one.result(_PATIENCE) for one in asked]
    assert {value for value, _ in found} == {"value"}
    if url == "memory://":
        assert (work.begun, sum(not others for _, others in found)) == (1, 1)
    else:
        assert work.begun == sum(not others for _, others in found) < 8
    assert kept.counters.snapshot()["waits"] >= 1


def test_different_keys_do_not_wait_for_each_other() -> None:
    kept, work = _texts(), Work()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(kept.once, f"key {number}", work, Cancellation()) for number in range(4)]
        assert eventually(lambda: work.begun == 4)
        work.go.set()
        assert [one.result(_PATIENCE) for one in asked] == [("value", False)] * 4


def test_after_a_failure_one_of_those_who_wait_computes() -> None:
    """The first fails and is told so; of the three who wait one computes, and nothing of the failure is kept."""
    kept, held, work = _texts(), threading.Event(), Work()

    def failing() -> str:
        assert held.wait(_PATIENCE)
        raise QueryTimeout("too slow")

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(kept.once, "key", failing, Cancellation())
        assert eventually(lambda: _waiting(kept))
        others = [pool.submit(kept.once, "key", work, Cancellation()) for _ in range(3)]
        time.sleep(0.2)
        assert work.begun == 0
        held.set()
        with pytest.raises(QueryTimeout):
            first.result(_PATIENCE)
        assert eventually(lambda: work.begun == 1)
        work.go.set()
        assert sorted(one.result(_PATIENCE) for one in others) == [("value", False), ("value", True), ("value", True)]
    assert work.begun == 1


def test_one_who_computes_and_is_cancelled_leaves_it_to_another() -> None:
    """Cancellation is the asker's own: the other asker has a value."""
    kept, cancel, work = _texts(), Cancellation(), Work()

    def cancelled() -> str:
        while True:
            cancel.raise_if_cancelled()
            time.sleep(0.01)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.once, "key", cancelled, cancel)
        assert eventually(lambda: _waiting(kept))
        second = pool.submit(kept.once, "key", work, Cancellation())
        work.go.set()
        cancel.cancel()
        with pytest.raises(QueryCancelled):
            first.result(_PATIENCE)
        assert second.result(_PATIENCE) == ("value", False)


def test_one_who_waits_can_give_up() -> None:
    """They are told at once; who computes goes on, and the value is kept."""
    kept, work, cancel = _texts(), Work(), Cancellation()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.once, "key", work, Cancellation())
        assert eventually(lambda: work.begun == 1)
        second: Future[tuple[str, bool]] = pool.submit(kept.once, "key", work, cancel)
        cancel.cancel()
        with pytest.raises(QueryCancelled):
            second.result(_PATIENCE)
        assert not first.done()
        work.go.set()
        assert first.result(_PATIENCE) == ("value", False)
    assert (kept.find("key"), work.begun) == ("value", 1)


def test_patience_ends() -> None:
    """Who has waited long enough computes beside the other."""
    kept, slow, quick = _texts(patience=0.2), Work(), Work()
    quick.go.set()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.once, "key", slow, Cancellation())
        assert eventually(lambda: slow.begun == 1)
        assert pool.submit(kept.once, "key", lambda: quick("mine"), Cancellation()).result(_PATIENCE) == ("mine", False)
        assert not first.done()
        slow.go.set()
        assert first.result(_PATIENCE)[0] in ("value", "mine")


def test_what_does_not_last_is_its_askers_alone() -> None:
    """It is neither kept nor handed to those who wait."""
    kept, work = _texts(lasts=lambda value: value != "fallback"), Work()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.once, "key", lambda: work("fallback"), Cancellation())
        assert eventually(lambda: work.begun == 1)
        second = pool.submit(kept.once, "key", lambda: work("read"), Cancellation())
        time.sleep(0.1)
        work.go.set()
        assert (first.result(_PATIENCE), second.result(_PATIENCE)) == (("fallback", False), ("read", False))
    assert kept.find("key") == "read"


def test_who_comes_right_after_finds_what_was_kept() -> None:
    """Between a look-up that found nothing and the computation another may have been done with it."""
    kept = _texts()
    assert kept.find("key") is None
    assert kept.once("key", lambda: "first", Cancellation()) == ("first", False)
    assert kept.once("key", lambda: "second", Cancellation()) == ("first", True)


def test_counters_add_up_over_threads() -> None:
    """800 askings by eight threads: every one is a hit or a miss."""
    kept = _texts()

    def asked(number: int) -> str:
        return kept.found_or_computed(f"key {number % 10}", lambda: f"value {number % 10}", Cancellation())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(asked, range(800))) == [f"value {number % 10}" for number in range(800)]
    counts = kept.counters.snapshot()
    assert counts["hits"] + counts["misses"] == 800
    assert 10 <= counts["misses"] <= 80
    assert counts["hit_rate"] == round(counts["hits"] / 800, 4)
