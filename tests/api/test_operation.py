"""What whoever looks after a library asks the service: folders that jobs may add, room, settings."""

from functools import partial

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.config import ApiSettings, Settings
from api.http.app import create_app
from api.http.jobs.errors import RootNotAllowed
from api.http.jobs.folders import MOST_FOLDERS, list_folders
from api.http.jobs.places import JobRoot
from api.http.setting_sources import list_settings
from indexer.config import IndexerSettings
from indexer.library.layout import Layout
from indexer.library.lock import write_lock
from indexer.library.run_progress import ProgressFile, read_progress
from indexer.pipeline.commands import BuildOptions, build
from models.config import load_settings


@pytest.fixture
def allowed(tmp_path):
    """A folder that jobs may read, beside one that they may not."""
    for name in ("photos/2024/may", "photos/2023", "photos/.hidden", "photos/Zoo", "secret/inner"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "photos" / "file.jpg").touch()
    (tmp_path / "photos" / "away").symlink_to(tmp_path / "secret")
    (tmp_path / "photos" / b"odd\xff".decode("utf-8", "surrogateescape")).mkdir()
    return tmp_path / "photos"


def test_folders_are_listed_without_links_files_and_what_is_hidden(allowed, tmp_path):
    roots = [JobRoot(allowed)]
    assert list_folders("photos", roots, tmp_path / "data") == (["2023", "2024", "Zoo"], False)
    assert list_folders("photos/2024/", roots, tmp_path / "data") == (["may"], False)
    assert list_folders("photos/2023", roots, tmp_path / "data") == ([], False)
    assert list_folders("photos", roots, allowed / "2023")[0] == ["2024", "Zoo"]  # the library itself


@pytest.mark.parametrize(
    "named",
    [
        "secret",
        "photos/away",
        "photos/../secret",
        "photos/file.jpg",
        "photos/nothing",
        "/",
        "/etc",
        "a\0b",
        "photos/away/inner",
    ],
)
def test_other_folders_are_refused_whether_they_are_there_or_not(allowed, tmp_path, named):
    with pytest.raises(RootNotAllowed):
        list_folders(named, [JobRoot(allowed)], tmp_path / "data")


def test_a_folder_of_too_many_is_cut(tmp_path):
    for number in range(MOST_FOLDERS + 1):
        (tmp_path / "many" / f"{number:04}").mkdir(parents=True)
    names, is_cut = list_folders("many", [JobRoot(tmp_path / "many")], tmp_path / "data")
    assert (len(names), names[-1], is_cut) == (MOST_FOLDERS, f"{MOST_FOLDERS - 1:04}", True)


def test_folders_and_room_are_told_of_a_library_and_before_there_is_one(library, allowed, tmp_path, heavy):
    api = ApiSettings(job_roots=str(allowed))
    with TestClient(create_app(Settings(data=tmp_path / "none", api=api))) as client:
        assert client.get("/v1/folders").json() == {
            "folder": "",
            "folders": [{"name": "photos", "path": "photos"}],
            "is_cut": False,
        }
        below = client.get("/v1/folders", params={"in": "photos"}).json()
        assert [one["path"] for one in below["folders"]] == ["photos/2023", "photos/2024", "photos/Zoo"]
        refused = client.get("/v1/folders", params={"in": "secret"})
        assert (refused.status_code, refused.json()["code"]) == (403, "root_not_allowed")
        storage = client.get("/v1/index/storage").json()
        assert (storage["originals"], storage["indexes"]) == (0, 0)
        assert storage["free"] > 0
    with TestClient(create_app(Settings(data=library, api=api))) as client:
        assert all(size > 0 for size in client.get("/v1/index/storage").json().values())
        assert client.get("/v1/libraries/default/folders").json()["folders"][-1]["name"] == "photos"


def told(settings) -> dict[str, tuple[str | None, str]]:
    return {one.name: (one.value, one.source) for one in list_settings(settings)}


def test_settings_say_where_they_come_from_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("XUNTU_THREADS=3\nXUNTU_API__RATE=60/min\n")
    (tmp_path / "token").write_text("a secret\n")
    hook = "https://hooks.example/services/T0/secret-path?token=x"
    for name, value in {
        "XUNTU_MAX_PIXELS": "1000",
        "XUNTU_API__RATE": "9/s",  # beats the file
        "XUNTU_API__TOKEN_FILE": str(tmp_path / "token"),
        "XUNTU_API__WEBHOOK": hook,
        "XUNTU_API__JOB_ROOTS": f"{tmp_path}/one:{tmp_path}/two",
        "XUNTU_LIBRARIES__PETS": "/srv/deep/down/pets",
        "HF_ENDPOINT": "https://user:password@mirror.example/path",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(Settings, data=tmp_path / "data")
    settings.api = ApiSettings.model_validate({**settings.api.model_dump(), "port": 9_000})
    found = told(settings)
    assert found["XUNTU_THREADS"] == ("3", ".env")
    assert found["XUNTU_MAX_PIXELS"] == ("1000", "environment")
    assert found["XUNTU_API__RATE"] == ("9/s", "environment")
    assert found["XUNTU_API__TOKEN"] == (None, "secret file")
    assert found["XUNTU_API__PORT"] == ("9000", "start")
    assert found["XUNTU_DATA"] == (f"…/{tmp_path.name}/data", "start")
    assert found["XUNTU_API__WEBHOOK"] == ("https://hooks.example/…", "environment")
    assert found["XUNTU_API__JOB_ROOTS"] == (f"…/{tmp_path.name}/one:…/{tmp_path.name}/two", "environment")
    assert found["XUNTU_LIBRARIES"] == ("pets=…/down/pets", "environment")
    assert found["XUNTU_MIRROR"] == ("https://mirror.example/path", "environment")
    assert found["XUNTU_INDEX__RECALL"] == ("0.98", "default")
    everything = str(list_settings(settings))
    assert not [
        secret for secret in ("a secret", "password", "secret-path", str(tmp_path.parent)) if secret in everything
    ]
    assert {one.name for one in list_settings(settings) if one.is_secret and one.is_set} == {"XUNTU_API__TOKEN"}


def test_settings_are_for_administrators(library, heavy):
    api = ApiSettings(anonymous_scopes="search,files,index")
    with TestClient(create_app(Settings(data=library, api=api))) as client:
        assert client.get("/v1/settings").json()["code"] == "forbidden"
        assert client.get("/v1/index/storage").status_code == 200
    with TestClient(create_app(Settings(data=library))) as client:
        answer = client.get("/v1/settings").json()["settings"]
        assert {one["name"] for one in answer} >= {"XUNTU_DATA", "XUNTU_API__HOST"}
        assert all(one["description"] for one in answer)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),  # who comes without a token may, so the page may
        ({"anonymous_scopes": "search"}, False),
        ({"token": "t"}, False),
        ({"token": "t", "page_scopes": "search,files,index"}, True),
        ({"page_scopes": "search"}, False),
    ],
)
def test_the_page_beside_the_service_may_what_it_is_let(library, heavy, settings, allowed):
    app = create_app(Settings(data=library, api=ApiSettings(**settings)), page_token="of the page")
    with TestClient(app) as client:
        answer = client.get("/v1/roots", headers={"Authorization": "Bearer of the page"})
        assert (answer.status_code == 200) is allowed


def test_how_far_a_command_has_come_is_told_while_it_runs(tmp_path, draw_scene, heavy):
    for seed in range(4):
        Image.fromarray(draw_scene(seed, 64, 48)).save(tmp_path / f"{seed}.png")
    told = []
    with TestClient(create_app(Settings(data=tmp_path / "data"))) as client:
        ask = partial(client.get, "/v1/index/progress", headers={"Accept-Language": "zh"})
        assert ask().json() == {"is_running": False, "progress": None, "message": "", "pictures": 0}
        options = BuildOptions(encoders=["hash"], on_progress=lambda _: told.append(ask().json()))
        build(IndexerSettings(data=tmp_path / "data", workers=0, batch_size=1), [tmp_path], options)
        assert all(one["is_running"] for one in told)
        assert told[0]["progress"] == {**told[0]["progress"], "stage": "encoding", "done": 0, "total": 4}
        assert told[0]["message"] == "正在编码：0 / 4。"
        assert ask().json()["is_running"] is False
    assert not (tmp_path / "data" / "progress.json").exists()


def test_what_a_killed_run_had_said_is_not_told(tmp_path):
    layout = Layout(tmp_path)
    ProgressFile(layout).write(stage="encoding", done=1, total=2)
    assert read_progress(layout) is None
    with write_lock(layout):
        assert read_progress(layout)["done"] == 1
        layout.progress.write_text('{"stage": "encoding", "done": 5, "pid": 1}')  # of one before
        assert read_progress(layout) == {}
        layout.progress.unlink()
        assert read_progress(layout) == {}


def test_what_settings_set_is_said_in_both_languages():
    chinese = {one.name: one.description for one in list_settings(Settings(), "zh")}
    english = {one.name: one.description for one in list_settings(Settings())}
    assert english["XUNTU_DATA"] == "Folder of the library"
    assert [name for name, said in chinese.items() if said == english[name] or said.isascii()] == []
