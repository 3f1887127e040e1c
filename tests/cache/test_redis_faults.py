"""A Redis server that is killed, stopped, emptied, written to by others, or no such server: answers stay right, and nobody waits long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rag_backend.assistant import Assistant, Assistants
from rag_backend.cache.base import CacheUnavailable
from rag_backend.cache.redis import Redis
from tests.cache.conftest import eventually
from tests.cache.test_contract import Clock
from tests.services.redis import Redis as RedisServer
from tests.services.redis import redis as redis_server
from tests.support.lake import Lake

_TODAY = date(2026, 7, 1)
_QUESTIONS = ["claims by payer", "denial rate by payer", "How many claims are there?", "claims last month", "cost by payer"]
_BOUNDED = 20.0  # seconds: what a busy machine may take; a wait without bound has no end


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may harm."""
    with redis_server(tmp_path) as server:
        yield server


def _unavailable(redis: Redis) -> bool:
    begun = time.monotonic()
    try:
        redis.get("key")
    except CacheUnavailable:
        assert time.monotonic() - begun < _BOUNDED
        return True
    return False


def test_a_server_that_is_not_there(own_server: RedisServer) -> None:
    """Unavailable, each time, at once."""
    own_server.server.kill()
    redis = Redis(own_server.url, time.monotonic)
    assert all(_unavailable(redis) for _ in range(200))
    redis.close()


def test_a_server_that_is_killed_and_comes_back_as_another(own_server: RedisServer) -> None:
    """It is left alone for some seconds by the clock; then one call finds out."""
    clock = Clock()
    redis = Redis(own_server.url, clock)
    redis.put("key", b"value", 60)
    own_server.server.kill()
    assert _unavailable(redis)
    with pytest.raises(CacheUnavailable, match="a moment ago"):
        redis.get("key")
    clock.now += 5.0
    with pytest.raises(CacheUnavailable, match="does not answer"):
        redis.get("key")
    with pytest.raises(CacheUnavailable, match="a moment ago"):
        redis.put("key", b"value", 60)
    redis.close()


def test_a_server_that_stands_still_and_goes_on(own_server: RedisServer) -> None:
    """While it is stopped every call is over soon, all but the first at once; when it goes on it is used again, and nothing is mixed up."""
    clock = Clock()
    redis = Redis(own_server.url, clock)
    redis.put("one", b"first", 600)
    redis.put("other", b"second", 600)
    own_server.server.pause()
    begun = time.monotonic()
    for _ in range(1_000):
        assert _unavailable(redis)
    assert time.monotonic() - begun < _BOUNDED  # 1,000 time-outs would be minutes
    own_server.server.resume()
    clock.now += 5.0
    assert eventually(lambda: _found(redis, clock, "other") == b"second")
    assert (redis.get("one"), redis.get("other")) == (b"first", b"second")
    redis.close()


def _found(redis: Redis, clock: Clock, key: str) -> bytes | None:
    try:
        return redis.get(key)
    except CacheUnavailable:
        clock.now += 5.0
        return None


def test_while_one_call_finds_out_the_others_go_on(own_server: RedisServer) -> None:
    """Of eight askers at a server that has been left alone long enough, seven are told at once."""
    clock = Clock()
    redis = Redis(own_server.url, clock)
    redis.get("key")
    own_server.server.pause()
    assert _unavailable(redis)
    clock.now += 5.0
    told: list[str] = []

    def asked() -> None:
        with pytest.raises(CacheUnavailable) as error:
            redis.get("key")
        told.append(str(error.value))

    threads = [threading.Thread(target=asked) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_BOUNDED)
    assert sorted("a moment ago" in one for one in told) == [False, *[True] * 7]
    redis.close()


@contextmanager
def _serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that answers each connection so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accepted() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_answered, args=(answer, connection), daemon=True).start()

        threading.Thread(target=accepted, daemon=True).start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
        listening.shutdown(socket.SHUT_RDWR)


def _answered(answer: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        try:
            answer(connection)
        except OSError:
            return


def _trickling(connection: socket.socket) -> None:
    """A byte now and then of a reply that never ends: no single wait of a socket is long."""
    connection.sendall(b"$1000000\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def _silent(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _another_protocol(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def _hanging_up(connection: socket.socket) -> None:
    connection.recv(1)


def _nonsense(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"$abc\r\n:\r\n*-7\r\n\xff\xfe")


@pytest.mark.parametrize("answer", [_trickling, _silent, _another_protocol, _hanging_up, _nonsense])
def test_a_server_that_is_none(answer: Callable[[socket.socket], None]) -> None:
    """Whatever it says, or how slowly: unavailable within a bounded time, also the third time that it is tried."""
    with _serving(answer) as url:
        clock = Clock()
        redis = Redis(url, clock)
        for _ in range(3):
            assert _unavailable(redis)
            clock.now += 5.0
        begun = time.monotonic()
        redis.close()
        assert time.monotonic() - begun < _BOUNDED


def test_a_name_that_nobody_knows() -> None:
    """Names are looked up within the same bound."""
    redis = Redis("redis://no-such-host.invalid:6379/0", time.monotonic)
    assert _unavailable(redis)
    redis.close()


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:{port}/1", "redis://:wrong@127.0.0.1:{port}/1", "redis://:{password}@127.0.0.1:{port}/99"]
)
def test_a_server_that_does_not_let_us_in(server: RedisServer, url: str) -> None:
    """No password, a wrong one, a database that there is not: unavailable, and no message tells the password."""
    redis = Redis(url.format(port=server.port, password="a%20pass%2Fword%3A%20for%20tests"), time.monotonic)
    for call in (lambda: redis.get("key"), lambda: redis.put("key", b"value", 60)):
        with pytest.raises(CacheUnavailable) as error:
            call()
        assert "pass/word" not in str(error.value)
        assert "wrong" not in str(error.value)
    redis.close()


def test_a_server_without_room_keeps_nothing_and_is_asked_on(own_server: RedisServer) -> None:
    """Out of memory: what it has is found, what it cannot take is not kept."""
    redis = Redis(own_server.url, time.monotonic)
    redis.put("key", b"value", 60)
    own_server.client.config_set("maxmemory", 1)
    with pytest.raises(CacheUnavailable, match="refuses"):
        redis.put("other", b"value", 60)
    assert redis.get("key") == b"value"
    redis.close()


@pytest.fixture(scope="module")
def expected(small: Lake) -> dict[str, dict[str, Any]]:
    """The answers without a cache."""
    with closing(Assistants(small.settings.model_copy(update={"cache": "none://"}), "analyst")) as assistants:
        return {question: _told(assistants.current().ask(question, _TODAY)) for question in _QUESTIONS}


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("cached", "timings")}


def _asks(assistant: Assistant, expected: dict[str, dict[str, Any]]) -> list[bool]:
    """Which answers came from the cache; every one is right."""
    found = []
    for question in _QUESTIONS:
        begun = time.monotonic()
        answer = assistant.ask(question, _TODAY)
        assert time.monotonic() - begun < _BOUNDED
        assert _told(answer) == expected[question]
        found.append(answer["cached"])
    return found


def test_answers_stay_right_whatever_happens_to_the_server(small: Lake, own_server: RedisServer, expected: dict[str, Any]) -> None:
    """Kept, emptied, written over byte by byte, values swapped, stopped, woken, killed: what is not found is computed."""
    kept, none = [True, True, True, True, False], [False] * 5
    settings = small.settings.model_copy(update={"cache": own_server.url, "cache_key": "a secret"})
    with closing(Assistants(settings, "analyst")) as assistants:
        assistant = assistants.current()
        for harmed in (lambda: None, own_server.client.flushall, lambda: _forge(own_server, Random(3)), lambda: _swap(own_server)):
            harmed()
            assert _asks(assistant, expected) == none
            assert eventually(lambda: _asks(assistant, expected) == kept)
        own_server.server.pause()
        assert _asks(assistant, expected) == none
        own_server.server.resume()
        assert eventually(lambda: _asks(assistant, expected) == kept)
        own_server.server.kill()
        assert _asks(assistant, expected) == none
        counts = assistants.caches.snapshot()
    for name in ("plans", "results"):
        assert counts[name]["forged"] >= 2 * 4
        assert counts[name]["failed"] > 0
        assert 0 < counts[name]["hit_rate"] < 1


def _forge(server: RedisServer, random: Random) -> None:
    """One byte of every value is another."""
    for key in list(server.client.scan_iter()):
        value = bytearray(server.client.get(key))
        value[random.randrange(len(value))] ^= 1 << random.randrange(8)
        server.client.set(key, bytes(value), keepttl=True)


def _swap(server: RedisServer) -> None:
    """Every value is under the key of another of its kind."""
    for kind in ("plan", "result"):
        keys = sorted(server.client.keys(f"medflow:{kind}:*"))
        values = server.client.mget(keys)
        for key, value in zip(keys, [*values[1:], values[0]], strict=True):
            server.client.set(key, value, keepttl=True)
