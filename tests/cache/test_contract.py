"""What every cache promises, on memory and on a real Redis server; and what each of them promises besides."""

from __future__ import annotations

import builtins
from concurrent.futures import ThreadPoolExecutor

import pytest

from medflow.errors import MissingExtraError, UsageError
from medflow.settings import load_settings
from rag_backend.cache.base import VALUE_BYTES, Cache, CacheUnavailable, Nothing
from rag_backend.cache.caches import Caches, cache_of
from rag_backend.cache.memory import Memory
from rag_backend.cache.redis import Address
from tests.cache.conftest import eventually
from tests.services.redis import Redis as RedisServer

_EVERY_BYTE = bytes(range(256)) * 7


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_put_is_found(cache: Cache) -> None:
    """Byte by byte, under its key and no other."""
    cache.put("one", _EVERY_BYTE, 60)
    cache.put("another", b"\x00", 60)
    assert (cache.get("one"), cache.get("another"), cache.get("none"), cache.get("")) == (_EVERY_BYTE, b"\x00", None, None)


def test_the_last_put_stands(cache: Cache) -> None:
    cache.put("key", b"first", 60)
    cache.put("key", b"second", 60)
    assert cache.get("key") == b"second"


def test_a_value_ends_with_its_time(cache: Cache) -> None:
    """One of a second is gone, one of a minute is there."""
    cache.put("short", b"value", 1)
    cache.put("long", b"value", 60)
    assert eventually(lambda: cache.get("short") is None)
    assert cache.get("long") == b"value"


def test_what_is_too_big_is_not_kept(cache: Cache) -> None:
    """The largest value is; one byte more is not, and what stood under its key is gone."""
    cache.put("key", b"x" * VALUE_BYTES, 60)
    assert cache.get("key") == b"x" * VALUE_BYTES
    cache.put("key", b"x" * (VALUE_BYTES + 1), 60)
    assert cache.get("key") is None


def test_no_time_is_not_kept(cache: Cache) -> None:
    cache.put("key", b"value", 60)
    cache.put("key", b"value", 0)
    assert cache.get("key") is None


def test_threads_do_not_mix_values(cache: Cache) -> None:
    """Eight threads at once: each key has its own value."""

    def asked(number: int) -> bool:
        key, value = f"key {number % 40}", f"value {number % 40} ".encode() * 500
        cache.put(key, value, 60)
        return cache.get(key) in (value, None)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(asked, range(400)))


def test_a_closed_cache_keeps_nothing(cache: Cache) -> None:
    """It may be asked, at the end of a service, and has nothing."""
    cache.put("key", b"value", 60)
    cache.close()
    try:
        cache.put("later", b"value", 60)
        found = cache.get("key"), cache.get("later")
    except CacheUnavailable:
        found = None, None
    assert found == (None, None)


def test_nothing_keeps_nothing() -> None:
    cache = Nothing()
    cache.put("key", b"value", 60)
    assert cache.get("key") is None


def test_memory_goes_by_its_clock() -> None:
    """To the second, and a clock that stands still ends nothing."""
    clock = Clock()
    memory = Memory(clock)
    memory.put("key", b"value", 10)
    clock.now += 9.9
    assert memory.get("key") == b"value"
    clock.now += 0.1
    assert memory.get("key") is None


def test_memory_is_bounded_and_forgets_what_was_asked_for_longest_ago() -> None:
    """Room for three values: the one that nobody has asked for goes first."""
    memory = Memory(Clock(), room=3 * 1_400)
    for name in ("a", "b", "c"):
        memory.put(name, b"x" * 1_000, 60)
    assert memory.get("a")
    memory.put("d", b"x" * 1_000, 60)
    assert [name for name in ("a", "b", "c", "d") if memory.get(name)] == ["a", "c", "d"]


def test_memory_never_takes_more_than_its_room() -> None:
    """Whatever is put, also over what is there; what is bigger than the room is not kept and takes nothing away."""
    memory = Memory(Clock(), room=10_000)
    for number in range(2_000):
        memory.put(f"key {number % 37}", b"x" * (number * 131 % 9_000), 1 + number % 3)
        assert 0 <= memory._taken <= 10_000
        assert memory._taken == sum(len(key) + len(value) + 300 for key, (_, value) in memory._values.items())
    kept = dict(memory._values)
    memory.put("huge", b"x" * 10_000, 60)
    assert dict(memory._values) == kept


def test_redis_gives_no_more_than_a_value_may_hold(server: RedisServer) -> None:
    """Of a value of 20 MB that someone put there, a megabyte is read."""
    cache = cache_of(server.url)
    server.client.set("medflow:key", b"x" * (20 * VALUE_BYTES))
    found = cache.get("key")
    assert found is not None
    assert len(found) == VALUE_BYTES + 1
    cache.close()


def test_redis_tells_its_keys_apart_from_those_of_others(server: RedisServer) -> None:
    """What it keeps is under its own name and ends of itself."""
    cache = cache_of(server.url)
    cache.put("key", b"value", 60)
    assert server.client.keys() == [b"medflow:key"]
    assert 0 < server.client.ttl("medflow:key") <= 60
    cache.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", Address("cache", 6379, 0, None, None)),
        ("redis://cache:7000/3", Address("cache", 7000, 3, None, None)),
        ("redis://:p%40ss@cache/", Address("cache", 6379, 0, None, "p@ss")),
        ("redis://me:secret@[::1]:1/0", Address("::1", 1, 0, "me", "secret")),
    ],
)
def test_an_address_of_a_server(url: str, expected: Address) -> None:
    assert Address.of(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis",
        "redis://",
        "memory",
        "memory://x",
        "none://x",
        "memcached://host",
        "redis:/:hush@host/0",
        "rediss://:hush@host/0",
        "REDIS://host",
        "redis://host:port/0",
        "redis://host/first",
        "redis://:hush@/0",
        "redis://:hush@host:99999/0",
        "redis://:hush@host/0?socket_timeout=900",
    ],
)
def test_another_address_is_refused(url: str) -> None:
    """The message names the setting and what is allowed, and never the password."""
    with pytest.raises(UsageError, match=r"MEDFLOW_CACHE .*allowed: .*redis://.*host:port/db") as refused:
        cache_of(url)
    assert "hush" not in str(refused.value)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `redis` installed: `services` is what to install."""
    imported = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name.split(".")[0] == "redis":
            raise ModuleNotFoundError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"redis is not installed.*medflow\[services\]"):
        cache_of("redis://host:6379/0")


def test_a_server_needs_a_key_and_this_process_makes_its_own(tmp_path) -> None:
    """What others can write to is never read without a secret that they share."""
    with pytest.raises(UsageError, match="MEDFLOW_CACHE_KEY"):
        Caches.of(load_settings(home=tmp_path, cache="redis://127.0.0.1:1/0"))
    Caches.of(load_settings(home=tmp_path, cache="none://")).close()
    assert not (tmp_path / "cache.key").exists()
    Caches.of(load_settings(home=tmp_path)).close()
    assert (tmp_path / "cache.key").stat().st_mode & 0o777 == 0o600
