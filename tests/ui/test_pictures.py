import base64

import httpx
import pytest

from api.client import Client
from ui.pictures import PictureCache, data_uri, upload_name


@pytest.fixture
def served():
    """A client whose pictures are their own number, but for the broken number 3, and the calls it made."""
    calls = []

    def answer(request):
        calls.append(request.url.path)
        number = request.url.path.split("/")[3]
        return httpx.Response(500 if number == "3" else 200, content=number.encode() * 30)

    client = Client("http://service.test", http=httpx.Client(transport=httpx.MockTransport(answer)))
    yield client, calls
    client.close()


@pytest.fixture
def cache_of():
    caches = []

    def make(**bounds):
        caches.append(PictureCache(**bounds))
        return caches[-1]

    yield make
    for cache in caches:
        cache.close()


def test_thumbnails_are_fetched_once_and_a_broken_one_is_left_out(served, cache_of):
    client, calls = served
    cache = cache_of()
    found = cache.fetch(client, [1, 2, 2, 3], size=320, build="b")
    assert list(found) == [1, 2]
    assert found[1] == data_uri(b"1" * 30, "image/webp")
    assert len(calls) == 3
    assert cache.fetch(client, [2, 1], size=320, build="b") == {2: found[2], 1: found[1]}
    assert len(calls) == 3
    cache.fetch(client, [1], size=1600, build="b")
    cache.fetch(client, [1], size=320, build="newer")
    assert len(calls) == 5


def test_the_cache_keeps_within_its_bounds(served, cache_of):
    client, calls = served
    cache = cache_of(max_bytes=150)
    for image_id in (1, 2, 4):
        cache.fetch(client, [image_id], size=320, build="b")
    cache.fetch(client, [4], size=320, build="b")
    assert len(calls) == 3
    cache.fetch(client, [1], size=320, build="b")
    assert len(calls) == 4


def test_the_same_upload_has_the_same_name():
    data = base64.b64encode(b"picture").decode()
    assert upload_name(data) == upload_name(data) != upload_name(data + "=")
