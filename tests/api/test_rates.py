"""Rates: how often keys and addresses may ask, counted in a process or by several in Redis."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.config import Settings
from api.http.app import create_app
from api.http.door.rates import MemoryRates, Standing, address_of
from api.http.door.redis_rates import RedisRates
from api.keys.rates import Rate
from api.keys.records import KeyRecord, digest_of, make_key
from api.keys.scopes import Scope
from api.keys.store import add_key

SLOW = Rate(2, 86400)  # so that no test is at the end of a window


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """Rates in memory, with a clock that a test moves."""

    def __init__(self, **options: int) -> None:
        self.clock = Clock()
        self.rates = MemoryRates(self.clock, **options)

    def ask(self, rate: Rate, who: str = "one") -> Standing:
        return asyncio.run(self.rates.take(rate, who))


def test_so_many_requests_are_let_in_and_the_next_is_told_when():
    counting, rate = Counting(), Rate(3, 60)
    told = [counting.ask(rate) for _ in range(4)]
    assert [one.allowed for one in told] == [True, True, True, False]
    assert [one.remaining for one in told] == [2, 1, 0, 0]
    assert counting.ask(rate, "another").allowed
    counting.clock.now += 59.9
    refused = counting.ask(rate)
    assert (refused.allowed, round(refused.wait_s, 1)) == (False, 0.1)


def test_a_window_slides():
    counting, rate = Counting(), Rate(10, 60)
    for _ in range(10):
        counting.ask(rate)
    counting.clock.now += 60
    assert not counting.ask(rate).allowed  # the last minute is as full as it was
    counting.clock.now += 30
    assert [counting.ask(rate).allowed for _ in range(6)] == [True] * 5 + [False]
    counting.clock.now += 120
    assert [counting.ask(rate).allowed for _ in range(11)] == [True] * 10 + [False]


def test_who_waits_as_long_as_told_is_let_in():
    counting, rate = Counting(), Rate(7, 60)
    for step in range(400):
        counting.clock.now += step % 13
        told = counting.ask(rate)
        if not told.allowed:
            counting.clock.now += told.wait_s + 0.001
            assert counting.ask(rate).allowed, step


def test_those_who_have_not_asked_for_longest_are_forgotten():
    counting, rate = Counting(most=2), Rate(1, 60)
    assert [counting.ask(rate, who).allowed for who in ("a", "b", "a", "c", "a", "b")] == [
        *(True, True, False),
        *(True, False, True),
    ]


def test_of_an_address_of_ipv6_its_network_is_counted():
    assert address_of("2001:db8::1") == address_of("2001:db8::ffff:1") != address_of("2001:db8:0:1::1")
    assert (address_of("::ffff:10.0.0.1"), address_of("10.0.0.1"), address_of("?")) == ("10.0.0.1", "10.0.0.1", "?")


def make(path: Path, rate: str | None) -> dict[str, str]:
    key = make_key()
    record = KeyRecord(
        name=f"key-{rate}".replace("/", "."),
        digest=digest_of(key.encode()),
        scopes=frozenset({Scope.SEARCH}),
        rate=rate,
        created_at=datetime.now(UTC),
    )
    add_key(path, record)
    return {"authorization": f"Bearer {key}"}


def codes(client: TestClient | httpx.Client, count: int, headers: dict[str, str]) -> list[int]:
    return [client.get("/v1/index", headers=headers).status_code for _ in range(count)]


def test_a_key_is_held_to_its_rate_and_told_where_it_stands(library, tmp_path):
    path = tmp_path / "keys.json"
    slow, free = make(path, "2/day"), make(path, None)
    with TestClient(create_app(Settings(data=library, api={"keys": path}))) as client:
        first = client.get("/v1/index", headers=slow)
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=86400'
        assert first.headers["ratelimit"].startswith('"key";r=1;t=86')
        assert codes(client, 2, slow) == [200, 429]
        refused = client.get("/v1/index", headers={**slow, "accept-language": "zh"})
        assert refused.json()["code"] == "too_many_requests"
        assert "过于频繁" in refused.json()["detail"]
        assert 0 < int(refused.headers["retry-after"]) <= 86400
        assert refused.headers["ratelimit"].startswith('"key";r=0;')
        assert codes(client, 4, free) == [200] * 4
        assert "ratelimit" not in client.get("/v1/index", headers=free).headers


def test_an_address_is_held_to_the_rate_of_the_service_with_and_without_a_key(library, tmp_path):
    path = tmp_path / "keys.json"
    key = make(path, "100/day")
    with TestClient(create_app(Settings(data=library, api={"keys": path, "rate": "3/day"}))) as client:
        wrong = {"authorization": "Bearer wrong"}
        assert codes(client, 1, key) + codes(client, 2, wrong) == [200, 401, 401]
        assert codes(client, 1, wrong) + codes(client, 1, {}) + codes(client, 1, key) == [429, 429, 429]
        assert [client.get("/healthz").status_code for _ in range(5)] == [200] * 5
        assert client.get("/readyz").status_code == 200


def test_behind_a_proxy_that_is_trusted_the_address_is_the_clients(library, tmp_path, serve):
    def count(url: str, *addresses: str) -> list[int]:
        return [httpx.get(f"{url}/v1/index", headers={"x-forwarded-for": one}).status_code for one in addresses]

    given = {"XUNTU_API__RATE": "1/day", "XUNTU_API__KEYS": str(tmp_path / "none.json")}
    url = serve(library, **given)
    assert count(url, "192.0.2.1", "192.0.2.2", "192.0.2.9, 192.0.2.1") == [200, 200, 429]
    url = serve(library, **given, XUNTU_API__TRUSTED_PROXIES="10.0.0.0/8")
    assert count(url, "192.0.2.1", "192.0.2.2") == [200, 429]


@pytest.fixture(scope="module")
def redis(tmp_path_factory, servers, processes, wait_until) -> Iterator[SecretStr]:
    """The address of a Redis of its own."""
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("there is no redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    process = subprocess.Popen(
        [program, *options], cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, "Redis")
    yield SecretStr(f"redis://127.0.0.1:{port}/0")
    process.terminate()
    process.wait(120)


def test_redis_counts_as_the_process_does(redis):
    async def ask(rate: Rate, count: int) -> list[tuple[bool, int]]:
        one, two = (RedisRates(redis, MemoryRates()) for _ in range(2))
        told = [await counter.take(rate, "same") for counter in (one, two) * count]
        await one.close()
        await two.close()
        assert all(0 < standing.wait_s <= rate.seconds for standing in told)
        return [(standing.allowed, standing.remaining) for standing in told]

    assert asyncio.run(ask(Rate(3, 86400), 2)) == [(True, 2), (True, 1), (True, 0), (False, 0)]


def test_services_that_share_redis_agree(library, tmp_path, redis):
    path = tmp_path / "keys.json"
    key = make(path, "3/day")
    settings = Settings(data=library, api={"keys": path, "redis": redis})
    with TestClient(create_app(settings)) as one, TestClient(create_app(settings)) as two:
        assert codes(one, 2, key) + codes(two, 2, key) + codes(one, 1, key) == [200, 200, 200, 429, 429]


def test_without_redis_each_process_counts_alone_and_says_so_once(library, tmp_path, caplog):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        url = SecretStr(f"redis://:s3cret@127.0.0.1:{nobody.getsockname()[1]}/0")
        path = tmp_path / "keys.json"
        key = make(path, "2/day")
        with TestClient(create_app(Settings(data=library, api={"keys": path, "redis": url}))) as client:
            assert codes(client, 3, key) == [200, 200, 429]
    said = [record.getMessage() for record in caplog.records if "Redis" in record.getMessage()]
    assert len(said) >= 1
    assert "s3cret" not in "".join(said)
