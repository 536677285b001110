"""Sixty-four clients, while builds are swapped, keys revoked and jobs run: nobody is failed but whose key is gone."""

import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from api.client import Client
from api.keys.records import KeyRecord, digest_of, make_key
from api.keys.scopes import Scope
from api.keys.store import add_key, revoke_key
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.pipeline.commands import BuildOptions, build

CLIENTS = 64
BUILDS = 2


def draw(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)).save(path)


def add(data: Path, name: str, *scopes: Scope) -> str:
    key = make_key()
    record = KeyRecord(
        name=name, digest=digest_of(key.encode()), scopes=frozenset(scopes), created_at=datetime.now(UTC)
    )
    add_key(Layout(data).keys, record)
    return key


def ask_until(done: threading.Event, url: str, key: str, number: int, seen: list[tuple[int, str]]) -> None:
    """Ask for one thing after another, and note each status and code."""
    asked = (
        ("/v1/search", {"q": f"picture {number}", "k": 3}),
        ("/v1/images", {"sort": "name", "k": 2}),
        ("/v1/images/1/thumbnail", {}),
        ("/v1/facets", {"fields": "format"}),
    )
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as client:
        turn = number
        while not done.is_set():
            path, params = asked[turn % len(asked)]
            answer = client.get(path, params=params)
            seen.append((answer.status_code, "" if answer.is_success else answer.json()["code"]))
            turn += 1


def test_nobody_is_failed_but_whose_key_is_gone(tmp_path, serve, depth, wait_until):
    data, pictures = tmp_path / "data", tmp_path / "pictures"
    pictures.mkdir()
    for seed in range(4):
        draw(pictures / f"{seed}.png", seed)
    build(IndexerSettings(data=data, workers=0), [pictures], BuildOptions(encoders=["hash"]))
    keys = [add(data, f"key{number}", Scope.SEARCH, Scope.FILES) for number in range(4)]
    indexing = add(data, "indexing", Scope.SEARCH, Scope.INDEX)
    url = serve(data, XUNTU_WORKERS="0", XUNTU_THREADS="1")
    done, seen = threading.Event(), [[] for _ in range(CLIENTS)]
    threads = [
        threading.Thread(target=ask_until, args=(done, url, keys[number % 4], number, seen[number]))
        for number in range(CLIENTS)
    ]
    try:
        for thread in threads:
            thread.start()
        with Client(url, indexing) as client:
            builds = {client.index().build}
            for number in range(BUILDS):
                draw(pictures / f"more{number}.png", 100 + number)
                assert client.wait(client.submit("update")).state == "done"
                wait_until(lambda: client.index().build not in builds, "the new build to answer")
                builds.add(client.index().build)
            assert client.index().pictures == 4 + BUILDS
        revoke_key(Layout(data).keys, "key0")
        gone = seen[0:CLIENTS:4]
        wait_until(lambda: all(one and one[-1][0] == 401 for one in gone), "the revoked key to be refused")
    finally:
        done.set()
        for thread in threads:
            thread.join(120)
    told = [Counter(one) for one in seen]
    for number, counts in enumerate(told):
        assert {one for one in counts if one[0] != 401} <= {(200, ""), (503, "overloaded")}
        assert any(status == 401 for status, _ in counts) is (number % 4 == 0)
        assert counts[200, ""]
