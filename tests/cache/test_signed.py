"""A value that this product did not write under that very key is no value: changed, moved, made up, or sealed with another secret."""

from __future__ import annotations

from datetime import date

import pytest

from rag_backend.cache import outcomes
from rag_backend.cache.base import VALUE_BYTES, Cache
from rag_backend.cache.caches import cache_of
from rag_backend.cache.counters import Counters
from rag_backend.cache.kept import Form, Kept
from rag_backend.cache.signed import Signed
from rag_backend.engines.base import Cancellation
from rag_backend.planners.base import Outcome, Planned, Refused
from rag_backend.query.typed_query import MetricUse, Time, TypedQuery
from tests.cache.conftest import SECRET
from tests.services.redis import Redis as RedisServer

_PLANNED = Planned(TypedQuery(metrics=(MetricUse(id="claim_count"),), time=Time(date="paid_date", start=date(2026, 1, 1))))


def _kept(cache: Cache, secret: bytes = SECRET) -> Kept[Outcome]:
    return Kept(Signed(cache, secret), Form(outcomes.written, outcomes.read, outcomes.lasts), 60, 30)


def _put(kept: Kept[Outcome], key: str, outcome: Outcome) -> None:
    assert kept.once(key, lambda: outcome, Cancellation()) == (outcome, False)


def test_what_is_sealed_is_found(cache: Cache) -> None:
    kept = _kept(cache)
    _put(kept, "key", _PLANNED)
    assert (kept.find("key"), kept.find("another")) == (_PLANNED, None)
    assert kept.counters.snapshot() == {"hits": 1, "misses": 1, "forged": 0, "failed": 0, "waits": 0, "hit_rate": 0.5}


def test_any_byte_that_is_changed_is_noticed(cache: Cache) -> None:
    """Each byte of seal and value, one after the other; a value that is cut, or longer, too."""
    kept = _kept(cache)
    _put(kept, "key", _PLANNED)
    sealed = cache.get("key")
    assert sealed is not None
    for place in range(len(sealed)):
        cache.put("key", bytes([*sealed[:place], sealed[place] ^ 1, *sealed[place + 1 :]]), 60)
        assert kept.find("key") is None
    for other in (sealed[:-1], sealed + b"x", sealed[:32], sealed[:10], b"x"):
        cache.put("key", other, 60)
        assert kept.find("key") is None
    assert kept.counters.snapshot()["forged"] == len(sealed) + 5
    cache.put("key", sealed, 60)
    assert kept.find("key") == _PLANNED


def test_a_value_that_is_moved_to_another_key_is_noticed(cache: Cache) -> None:
    """Two values change places: both are genuine, and neither is found."""
    kept = _kept(cache)
    _put(kept, "one", _PLANNED)
    _put(kept, "other", Refused("off_topic", "no"))
    one, other = cache.get("one"), cache.get("other")
    assert one and other
    cache.put("one", other, 60)
    cache.put("other", one, 60)
    assert (kept.find("one"), kept.find("other"), kept.counters.snapshot()["forged"]) == (None, None, 2)


def test_the_end_of_a_key_is_not_the_beginning_of_a_value() -> None:
    """`key` + `1abc` and `key1` + `abc` have different seals."""
    sealed = Signed(cache_of("none://"), SECRET)
    assert sealed._seal("key", b"1abc") != sealed._seal("key1", b"abc")


def test_another_secret_opens_nothing(cache: Cache) -> None:
    """Who shares the server and not the secret is neither believed nor harmed."""
    _put(_kept(cache), "key", _PLANNED)
    other = _kept(cache, b"another secret")
    assert (other.find("key"), other.counters.snapshot()["forged"]) == (None, 1)
    _put(other, "key", Refused("off_topic", "no"))
    assert _kept(cache).find("key") is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Planned",
        b"Planned\n{}",
        b"Unknown\n{}",
        b"__builtins__\n{}",
        b"\xff\n{}",
        b"Greeting\n{",
        b"Refused\n[1]",
        b'Refused\n{"reason_code":"made_up","message":""}',
        b'Planned\n{"query":{"metrics":[{"id":1}]}}',
        b'Planned\n{"query":{"sql":"SELECT 1"}}',
    ],
)
def test_what_is_sealed_but_misshapen_is_none(cache: Cache, text: bytes) -> None:
    """The seal says who wrote, not that it was written well: it is parsed strictly, counted, and computed again."""
    kept, counters = _kept(cache), Counters()
    Signed(cache, SECRET).put("key", text, 60, counters)
    assert (kept.find("key"), kept.counters.snapshot()["forged"]) == (None, 1)
    _put(kept, "key", _PLANNED)
    assert kept.find("key") == _PLANNED


def test_a_value_beyond_the_limit_is_not_kept(cache: Cache) -> None:
    """The seal counts: the largest value is sealed and found, one byte more is left."""
    signed, counters = Signed(cache, SECRET), Counters()
    for size, kept in ((VALUE_BYTES - 32, True), (VALUE_BYTES - 31, False)):
        signed.put(f"key {size}", b"x" * size, 60, counters)
        assert (signed.get(f"key {size}", counters) is not None) is kept
    assert (counters.snapshot()["forged"], counters.snapshot()["failed"]) == (0, 0)


@pytest.mark.parametrize("command", [("LPUSH", "x"), ("SADD", "x"), ("SET", "")])
def test_another_kind_of_value_in_the_server_is_none(server: RedisServer, command: tuple[str, str]) -> None:
    """A list, a set, an empty text where a value should be: no error, and the asker computes."""
    store = cache_of(server.url)
    kept = _kept(store)
    server.client.execute_command(command[0], "medflow:key", command[1])
    assert kept.find("key") is None
    assert kept.once("key", lambda: _PLANNED, Cancellation()) == (_PLANNED, False)
    store.close()
