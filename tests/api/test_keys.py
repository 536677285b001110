"""Keys: made, listed and revoked by the command, asked for by a running service."""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.config import Settings
from api.http.app import create_app
from api.http.door.gates import Gate, Gates
from api.http.door.key_ring import KeyRing
from api.http.refusals import KeyExpired
from api.keys.errors import InvalidExpiry, InvalidKeyName, InvalidRate, KeyNameTaken, KeysUnreadable, UnknownKey
from api.keys.rates import Rate
from api.keys.records import KeyRecord, check_name, digest_of, make_key, read_expiry
from api.keys.scopes import Scope
from api.keys.store import add_key, read_keys, revoke_key
from models.foundation.errors import InvalidSetting

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def make(path: Path, name: str = "one", scopes: tuple[Scope, ...] = (Scope.SEARCH,), **fields: object) -> str:
    """Keep a key in a file, and return it."""
    key = make_key()
    record = {"digest": digest_of(key.encode()), "scopes": frozenset(scopes), "created_at": NOW, **fields}
    add_key(path, KeyRecord(name=name, **record))
    return key


def _settings(library: Path, path: Path) -> Settings:
    return Settings(data=library, api={"keys": path, "upload_root": path.parent / "uploads"})


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def gates(library) -> dict[tuple[str, str], Gate]:
    """Every route of the application, with its gate."""
    app = create_app(Settings(data=library))
    found = next(one.kwargs["gates"] for one in app.user_middleware if "gates" in one.kwargs)
    assert isinstance(found, Gates)
    return {(method, way.path): way.gate for way in found._ways for method in sorted(way.methods)}


@pytest.fixture(scope="module")
def by_scope(library, tmp_path_factory) -> Iterator[tuple[TestClient, dict[Scope, str]]]:
    """A service with a key for each scope alone."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    keys = {scope: make(path, scope, (scope,)) for scope in Scope}
    with TestClient(create_app(_settings(library, path))) as client:
        yield client, keys


def ask(client: TestClient, method: str, path: str, **headers: str) -> httpx.Response:
    """Ask for a route, with nothing of what it needs: whoever is let in is told so."""
    return client.request(method, re.sub(r"\{[^}]*\}", "0", path), headers=headers)


def test_every_route_answers_keys_with_its_scope_and_no_others(by_scope, gates, heavy):
    client, keys = by_scope
    assert {("GET", "/v1/search"), ("GET", "/metrics"), ("GET", "/healthz")} < gates.keys()
    for (method, path), gate in gates.items():
        for scope, key in keys.items():
            answer = ask(client, method, path, **bearer(key))
            is_let_in = gate.scope in (None, scope)
            assert (answer.status_code not in (401, 403)) == is_let_in, (method, path, scope, answer.text)
            if not is_let_in:
                assert answer.json()["code"] == "forbidden"
                assert gate.scope in answer.json()["detail"]
                assert scope in answer.json()["detail"]
                assert f'scope="{gate.scope}"' in answer.headers["www-authenticate"]


def test_every_route_with_a_scope_refuses_callers_without_a_key(by_scope, gates, heavy):
    client, _ = by_scope
    for (method, path), gate in gates.items():
        for headers in ({}, bearer("wrong"), bearer(make_key()), {"authorization": "Basic eA=="}):
            answer = ask(client, method, path, **headers)
            assert (answer.status_code == 401) == (gate.scope is not None), (method, path, answer.text)


def test_a_refusal_says_what_is_wrong_in_both_languages(by_scope):
    client, keys = by_scope
    chinese = {"accept-language": "zh"}
    missing, unknown = client.get("/v1/index", headers=chinese), client.get("/v1/index", headers=bearer("wrong"))
    assert (missing.json()["detail"][:4], missing.headers["www-authenticate"]) == ("需要访问", "Bearer")
    assert "not known" in unknown.json()["detail"]
    assert unknown.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    refused = client.get("/metrics", headers={**chinese, **bearer(keys[Scope.SEARCH])}).json()
    assert "权限范围 admin" in refused["detail"]
    counted = client.get("/metrics", headers=bearer(keys[Scope.ADMIN])).text
    assert 'xuntu_caller_requests_total{caller="search"}' in counted
    assert "wrong" not in counted


def test_without_keys_and_token_everybody_on_this_machine_is_let_in(library, tmp_path):
    with TestClient(create_app(Settings(data=library, api={"keys": tmp_path / "none.json"}))) as client:
        assert client.get("/v1/index").status_code == 200
        assert client.get("/metrics", headers=bearer("any")).status_code == 200


def test_the_token_of_the_settings_may_do_all_beside_keys(library, tmp_path):
    path = tmp_path / "keys.json"
    key = make(path)
    with TestClient(create_app(Settings(data=library, api={"keys": path, "token": "s3cret"}))) as client:
        codes = [client.get("/metrics", headers=bearer(one)).status_code for one in ("s3cret", key, "s3cre")]
    assert codes == [200, 403, 401]


def test_anonymous_callers_may_be_left_some_scopes(library, tmp_path, heavy):
    path = tmp_path / "keys.json"
    make(path)
    for keys in (path, tmp_path / "none.json"):
        settings = Settings(data=library, api={"keys": keys, "anonymous_scopes": "search"})
        with TestClient(create_app(settings)) as client:
            assert client.get("/v1/index").status_code == 200
            answer = client.get("/metrics")
            assert (answer.status_code, "anonymous" in answer.json()["detail"]) == (403, True)
    with TestClient(create_app(Settings(data=library, api={"keys": path, "allow_anonymous": True}))) as client:
        assert client.get("/v1/index").status_code == 401


def test_the_page_beside_the_service_has_a_token_of_its_own(library, tmp_path):
    path = tmp_path / "keys.json"
    make(path)
    settings = Settings(data=library, api={"keys": path, "rate": "1/day"})
    with TestClient(create_app(settings, page_token="of the page")) as client:
        page = bearer("of the page")
        assert [client.get("/v1/index", headers=page).status_code for _ in range(3)] == [200, 200, 200]
        assert client.get("/metrics", headers=page).status_code == 403


@pytest.mark.parametrize("token", ["a secret", "密钥 é", "ends in à", "ÿ", "xuntu_"])
def test_a_token_may_have_any_characters(library, tmp_path, heavy, token):
    settings = Settings(data=library, api={"keys": tmp_path / "none.json", "token": token})
    with TestClient(create_app(settings)) as client:
        sent = [("authorization", b"Bearer " + one.encode()) for one in (token, token + "x")]
        assert [client.get("/v1/index", headers=[one]).status_code for one in sent] == [200, 401]


def test_a_key_ends_when_its_time_is_over(library, tmp_path):
    path = tmp_path / "keys.json"
    key = make(path, "brief", expires_at=NOW)
    with TestClient(create_app(_settings(library, path))) as client:
        answer = client.get("/v1/index", headers=bearer(key))
    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")
    assert "brief" in answer.json()["detail"]


def test_a_key_ends_at_its_moment(tmp_path):
    path = tmp_path / "keys.json"
    digest = digest_of(make(path, expires_at=NOW).encode())
    seconds = NOW.timestamp() - 1
    ring = KeyRing(path, follow_seconds=1, now=lambda: seconds)
    assert (ring.is_asked_for, ring.find(digest)) == (True, None)  # nothing has been read: nobody is let in
    ring.read()
    assert ring.find(digest).name == "one"
    seconds += 1
    with pytest.raises(KeyExpired):
        ring.find(digest)


def test_keys_that_cannot_be_read_leave_those_known_before_in_use(tmp_path):
    path = tmp_path / "keys.json"
    digest = digest_of(make(path).encode())
    ring = KeyRing(path, follow_seconds=1)
    ring.read()
    path.write_text("{")
    with pytest.raises(KeysUnreadable):
        ring.read()
    assert ring.find(digest)
    with pytest.raises(KeysUnreadable):
        make(path, "another")
    assert path.read_text() == "{"


def test_the_file_is_its_owners_alone_and_holds_no_key(tmp_path):
    path = tmp_path / "library" / "keys.json"
    before = os.umask(0)
    try:
        key = make(path)
        make(path, "two")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key not in path.read_text()
    assert key.removeprefix("xuntu_") not in path.read_text()
    assert {one.name for one in path.parent.iterdir()} == {"keys.json", "keys.json.lock"}
    assert re.fullmatch(r"xuntu_[\w-]{43}", key)


def test_names_are_unique_and_revoked_once(tmp_path):
    path = tmp_path / "keys.json"
    with pytest.raises(UnknownKey):
        revoke_key(path, "one")
    assert not path.exists()
    make(path)
    with pytest.raises(KeyNameTaken):
        make(path)
    assert revoke_key(path, "one") == 0
    assert read_keys(path) == []
    with pytest.raises(UnknownKey):
        revoke_key(path, "one")


def test_what_can_be_a_name():
    assert [check_name(name) for name in ("a", "ci.bot@host-1", "摄影部")] == ["a", "ci.bot@host-1", "摄影部"]
    for name in ("", "a b", "a/b", "x" * 65, "token", "Anonymous", "page", 'a"', "a\n"):
        with pytest.raises(InvalidKeyName):
            check_name(name)


def test_rates_are_read():
    said = {"10/s": (10, 1), "60/min": (60, 60), " 60 / Minute ": (60, 60), "1000/h": (1000, 3600), "5/d": (5, 86400)}
    assert {text: Rate.parse(text) for text in said} == {text: Rate(*rate) for text, rate in said.items()}
    assert [str(Rate.parse(text)) for text in said] == ["10/s", "60/min", "60/min", "1000/h", "5/day"]
    for text in ("", "0/s", "10", "10/week", "-1/s", "1.5/s", "10/s/s"):
        with pytest.raises(InvalidRate):
            Rate.parse(text)


def test_ends_are_read():
    assert read_expiry("12h", NOW) == NOW + timedelta(hours=12)
    assert read_expiry("30d", NOW) == NOW + timedelta(days=30)
    assert read_expiry("8w", NOW) == NOW + timedelta(weeks=8)
    assert read_expiry("2026-06-01T10:00:00+02:00", NOW) == datetime(2026, 6, 1, 8, tzinfo=UTC)
    day = datetime(2026, 6, 1).astimezone()
    assert day + timedelta(hours=23) < read_expiry("2026-06-01", NOW) <= day + timedelta(hours=25)
    for text in ("", "0d", "30", "2026-04-01", "2026-05-01T12:00:00+00:00", "9999-12-31", "soon"):
        with pytest.raises(InvalidExpiry):
            read_expiry(text, NOW)


@pytest.mark.parametrize(
    "api",
    [
        {"rate": "often"},
        {"redis": "http://127.0.0.1"},
        {"trusted_proxies": "*"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"anonymous_scopes": "all"},
    ],
)
def test_settings_that_cannot_be_used_are_named(xuntu, library, api):
    ((name, value),) = api.items()
    done = xuntu("serve", "--data", library, **{f"XUNTU_API__{name.upper()}": value})
    assert (done.returncode, f"XUNTU_API__{name.upper()}" in done.stderr) == (2, True), done.stderr


def test_the_command_makes_lists_and_revokes_keys_of_a_running_service(xuntu, library, tmp_path, serve, wait_until):
    path = str(tmp_path / "keys.json")
    url = serve(library, XUNTU_API__KEYS=path)

    def key(*args: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return xuntu("key", *args, XUNTU_API__KEYS=path, **environment)

    def status(secret: str | None = None, route: str = "/v1/index") -> int:
        return httpx.get(url + route, headers=bearer(secret) if secret else {}, timeout=120).status_code

    assert status() == 200
    made = key("create", "--name", "ci", "--rate", "60/min", "--expires", "30d", "--libraries", "b, a")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert re.fullmatch(r"xuntu_[\w-]{43}", secret)
    wait_until(lambda: status(secret) == 200 and status() == 401, "the key to be taken")
    assert status(secret, "/metrics") == 403
    again = key("create", "--name", "ci", LANG="zh_CN.UTF-8")
    assert (again.returncode, again.stdout, "xuntu key revoke ci" in again.stderr) == (2, "", True)
    assert "密钥" in again.stderr
    other = json.loads(key("create", "--name", "ops", "--scopes", "admin,search", "--json").stdout)
    wait_until(lambda: status(other["key"], "/metrics") == 200, "the second key")

    listed = key("list")
    assert re.search(r"^ci +files,search +60/min ", listed.stdout, re.MULTILINE), listed.stdout
    as_json = key("list", "--json").stdout
    first, second = json.loads(as_json)["keys"]
    assert (first["name"], first["libraries"], first["expired"]) == ("ci", ["a", "b"], False)
    assert (second["name"], second["scopes"], second["expires_at"]) == ("ops", ["admin", "search"], None)
    for shown in (listed.stdout, as_json):
        assert "xuntu_" not in shown
        assert digest_of(secret.encode()) not in shown

    assert key("revoke", "ci").returncode == 0
    wait_until(lambda: status(secret) == 401, "the key to be refused")
    assert key("revoke", "ci").returncode == 2
    last = key("revoke", "ops")
    assert (last.returncode, path in last.stderr) == (0, True)
    wait_until(lambda: status(other["key"]) == 401, "the last key to be refused")
    assert status() == 401  # a service does not open because its last key is gone
    Path(path).unlink()
    wait_until(lambda: status() == 200, "the service to be open again")


def test_several_processes_make_keys_at_once(tmp_path, processes):
    path = tmp_path / "keys.json"
    code = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from api.keys.store import add_key; from api.keys.records import KeyRecord\n"
        "for n in range(10):\n"
        "    add_key(Path(sys.argv[1]), KeyRecord(name=f'{sys.argv[2]}-{n}', digest='0' * 64, scopes=frozenset(),\n"
        "            created_at=datetime.now(UTC)))\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, path, str(number)]) for number in range(3)]
    assert [one.wait(120) for one in started] == [0, 0, 0]
    assert len(read_keys(path)) == 30


def test_listening_beyond_this_machine_needs_a_key_that_can_be_read(xuntu, library, tmp_path):
    path = tmp_path / "keys.json"
    for text, code in (('{"keys": []}', 2), ("{", 1)):
        path.write_text(text)
        done = xuntu("serve", "--data", library, "--host", "0.0.0.0", XUNTU_API__KEYS=str(path))  # noqa: S104
        assert done.returncode == code, done.stderr
        assert ("xuntu key create" if code == 2 else str(path)) in done.stderr


def test_a_service_that_others_reach_does_not_open_without_keys(library, tmp_path):
    settings = Settings(data=library, api={"keys": tmp_path / "none.json", "host": "0.0.0.0"})  # noqa: S104
    with TestClient(create_app(settings)) as client:
        assert client.get("/v1/index").status_code == 401


def test_a_rate_of_the_settings_is_checked():
    with pytest.raises(InvalidSetting):
        create_app(Settings(api={"redis": "redis+unknown://127.0.0.1"}))


def test_keys_that_had_every_scope_before_there_were_boards_have_that_one_too(tmp_path):
    path = tmp_path / "keys.json"
    make(path, "all", (Scope.SEARCH, Scope.FILES, Scope.INDEX, Scope.ADMIN))
    make(path, "some", (Scope.SEARCH, Scope.FILES))
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "version": 1}))
    found = {one.name: one.scopes for one in read_keys(path)}
    assert found == {"all": frozenset(Scope), "some": {Scope.SEARCH, Scope.FILES}}
    make(path, "later", (Scope.SEARCH, Scope.FILES, Scope.INDEX, Scope.ADMIN))  # whoever makes it leaves boards out
    found = {one.name: one.scopes for one in read_keys(path)}
    assert found["all"] == frozenset(Scope)
    assert Scope.BOARDS not in found["later"]


def test_the_page_may_change_boards_and_not_the_library(library, tmp_path):
    settings = _settings(library, tmp_path / "keys.json")
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"token": SecretStr("t")})})
    with TestClient(create_app(settings, page_token="page")) as client:
        answers = [
            client.post("/v1/boards", json={}, headers=bearer("page")),
            client.post("/v1/jobs", json={}, headers=bearer("page")),
        ]
    assert [one.status_code for one in answers] == [422, 403]
