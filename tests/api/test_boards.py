"""Boards: kept beside the library, shown with the pictures that it has by now, and searched in."""

import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import xuntu
from api.boards.boards import find_again
from api.boards.errors import BoardAmbiguous, BoardFull, BoardNotFound, BoardsUnavailable, TooManyBoards
from api.boards.records import MAX_BOARDS, MAX_PICTURES
from api.boards.store import BoardStore
from api.client import Client, errors
from api.config import Settings
from api.doctor.findings import Level
from api.doctor.known import look_around
from api.doctor.library import check_boards
from api.http.app import create_app
from indexer.backups.errors import BesideDamaged
from indexer.backups.restoring import restore_backup
from indexer.backups.writing import write_backup
from indexer.config import IndexerSettings
from indexer.library.catalog.marks import PictureMark
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def build_of(folder, *roots):
    build(IndexerSettings(data=folder / "data", workers=0), list(roots), BuildOptions(encoders=["hash"]))


def situation_of(data):
    return look_around(IndexerSettings(data=data), Settings(data=data))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A library of six pictures. Not to be changed."""
    folder = tmp_path_factory.mktemp("boards")
    for number in range(6):
        draw(folder / "pictures" / f"{number}.png", number)
    build_of(folder, folder / "pictures")
    return folder


@pytest.fixture
def library(made, copy_of):
    return copy_of(made)


@pytest.fixture
def service(library):
    settings = Settings(data=library / "data", api={"preload_image": False, "follow_seconds": 0.05})
    with TestClient(create_app(settings)) as client:
        yield client


def ids_of(service):
    listed = service.get("/v1/images", params={"sort": "path", "k": 100}).raise_for_status().json()["images"]
    return {one["path"]: one["id"] for one in listed}


def paths_on(service, board, **params):
    found = service.get(f"/v1/boards/{board}", params=params).raise_for_status().json()
    return [one["path"] if one["id"] else f"gone {one['path']}" for one in found["pictures"]]


def make_board(service, name, *ids):
    answer = service.post("/v1/boards", json={"name": name, "ids": list(ids)})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_favourites_are_there_before_anything_is_kept(service, library):
    (favourites,) = service.get("/v1/boards").json()["boards"]
    assert favourites == {
        "id": "favourites",
        "name": "Favourites",
        "count": 0,
        "covers": [],
        "fixed": True,
        "created_at": None,
        "changed_at": None,
    }
    chinese = service.get("/v1/boards", headers={"accept-language": "zh"}).json()["boards"][0]
    assert chinese["name"] == "收藏"
    assert not (library / "data" / "boards.sqlite3").exists()
    for method, body in (("put", {"name": "mine"}), ("delete", None)):
        answer = service.request(method, "/v1/boards/favourites", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "board_fixed")
    ids = list(ids_of(service).values())
    kept = service.post("/v1/boards/favourites/pictures", json={"ids": ids[2:4]}).json()
    assert (kept["count"], kept["covers"]) == (2, ids[2:4])
    assert stat.S_IMODE((library / "data" / "boards.sqlite3").stat().st_mode) == 0o600


def test_a_board_keeps_pictures_in_the_order_in_which_they_came(service):
    ids = list(ids_of(service).values())
    board = make_board(service, "  猫 and\tdogs ", ids[4], ids[1])
    assert (board["name"], board["count"], board["covers"]) == ("猫 and dogs", 2, [ids[4], ids[1]])
    url = f"/v1/boards/{board['id']}"
    added = service.post(f"{url}/pictures", json={"ids": [ids[0], ids[1], ids[5], ids[0], ids[2]]}).json()
    assert added["count"] == 5
    assert paths_on(service, board["id"]) == ["4.png", "1.png", "0.png", "5.png", "2.png"]
    first = service.get(url, params={"k": 2}).json()
    assert [one["path"] for one in first["pictures"]] == ["4.png", "1.png"]
    assert paths_on(service, board["id"], k=2, after=first["next"]) == ["0.png", "5.png"]
    assert service.get(url, params={"k": 5}).json()["next"] is None
    removed = service.post(f"{url}/pictures/remove", json={"ids": [ids[0], ids[3]]}).json()
    assert (removed["count"], removed["covers"]) == (4, [ids[4], ids[1], ids[5], ids[2]])
    assert service.put(url, json={"name": "dogs"}).json()["name"] == "dogs"
    assert [one["name"] for one in service.get("/v1/boards").json()["boards"]] == ["Favourites", "dogs"]
    assert service.delete(url).status_code == 204
    gone = service.get(url)
    assert (gone.status_code, gone.json()["code"]) == (404, "board_not_found")
    assert service.delete(url).status_code == 404


def test_what_cannot_be_kept_is_refused(service):
    (image_id, *_) = ids_of(service).values()
    board = make_board(service, "a")["id"]
    refused = service.post(f"/v1/boards/{board}/pictures", json={"ids": [image_id, 999]})
    assert (refused.status_code, refused.json()["code"]) == (404, "image_not_found")
    assert paths_on(service, board) == []
    for url, body in (
        ("/v1/boards", {"name": ""}),
        ("/v1/boards", {"name": " \n"}),
        ("/v1/boards", {"name": "x" * 201}),
        ("/v1/boards", {"name": "a", "ids": [2**63]}),
        (f"/v1/boards/{board}/pictures", {"ids": []}),
        (f"/v1/boards/{board}/pictures", {"ids": [1] * 10_001}),
    ):
        assert service.post(url, json=body).status_code == 422, body
    assert service.post("/v1/boards/none/pictures", json={"ids": [image_id]}).json()["code"] == "board_not_found"
    assert service.get(f"/v1/boards/{board}", params={"after": "x"}).json()["code"] == "invalid_cursor"


def test_there_is_an_end_to_boards_and_pictures(tmp_path, heavy):
    store, last = BoardStore(tmp_path / "boards.sqlite3"), {7: PictureMark("0" * 64, "pictures", "7.png")}
    board = store.create("full")
    with closing(sqlite3.connect(tmp_path / "boards.sqlite3")) as connection, connection:
        rows = ((board.id, number, "", b"", b"") for number in range(MAX_PICTURES))
        connection.executemany(
            "INSERT INTO entries (board_id, image_id, sha256, root, path) VALUES (?, ?, ?, ?, ?)", rows
        )
        rows = ((str(number), "", 0.0, 0.0) for number in range(MAX_BOARDS - 1))
        connection.executemany("INSERT INTO boards (id, name, created_at, changed_at) VALUES (?, ?, ?, ?)", rows)
    assert store.get_board(board.id).count == MAX_PICTURES
    with pytest.raises(BoardFull):
        store.add(board.id, last, lambda _: {})
    with pytest.raises(TooManyBoards, match="1000"):
        store.create("one more")
    store.add("favourites", last, lambda _: {})
    store.delete(board.id)
    assert store.list_entries(board.id) == []
    store.create("one more")


def test_the_boards_of_pictures_are_told_however_much_is_on_them(service, library, heavy):
    ids = list(ids_of(service).values())
    store = service.app.state.service.boards.store
    store.add("favourites", {ids[1]: PictureMark("0" * 64, "pictures", "1.png")}, lambda _: {})
    with closing(sqlite3.connect(library / "data" / "boards.sqlite3")) as connection, connection:
        rows = (("favourites", 10_000 + number, f"{number:064}", b"elsewhere", b"gone.png") for number in range(50_000))
        connection.executemany(
            "INSERT INTO entries (board_id, image_id, sha256, root, path) VALUES (?, ?, ?, ?, ?)", rows
        )
    for image_id in (ids[5], ids[4]):
        service.post("/v1/boards/favourites/pictures", json={"ids": [image_id]}).raise_for_status()
    board = make_board(service, "b", ids[4], ids[0])["id"]

    def on_boards(*asked):
        answer = service.post("/v1/boards/find", json={"ids": asked}).raise_for_status().json()
        return {one["id"]: one["ids"] for one in answer["boards"]}

    assert on_boards(*ids, 999) == {"favourites": [ids[1], ids[4], ids[5]], board: [ids[0], ids[4]]}
    assert on_boards(ids[2], 999) == {}
    removed = service.post("/v1/boards/favourites/pictures/remove", json={"ids": [ids[4], 10_007]}).json()
    assert removed["count"] == 50_001
    assert on_boards(ids[4]) == {board: [ids[4]]}
    listed = service.get("/v1/images", params={"where": "board=favourites", "sort": "path"}).json()["images"]
    assert [one["id"] for one in listed] == [ids[1], ids[5]]
    # What is put on it and taken off later is known too, and in order.
    service.post("/v1/boards/favourites/pictures", json={"ids": [ids[0]]}).raise_for_status()
    service.post("/v1/boards/favourites/pictures/remove", json={"ids": [ids[1]]}).raise_for_status()
    listed = service.get("/v1/images", params={"where": "board=favourites", "sort": "path"}).json()["images"]
    assert [one["id"] for one in listed] == [ids[0], ids[5]]
    for body in ({"ids": []}, {"ids": [0]}, {}):
        assert service.post("/v1/boards/find", json=body).status_code == 422


def test_boards_of_the_first_version_are_kept(service, library):
    ids = list(ids_of(service).values())
    board = make_board(service, "old", *ids[:2])["id"]
    path = library / "data" / "boards.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        for index in ("entries_by_id", "entries_by_content", "entries_by_path"):
            connection.execute(f"DROP INDEX {index}")
        connection.execute("PRAGMA user_version = 1")
    assert paths_on(service, board) == ["0.png", "1.png"]  # who only reads changes nothing
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert service.post(f"/v1/boards/{board}/pictures", json={"ids": [ids[2]]}).json()["count"] == 3
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert len(connection.execute("PRAGMA index_list(entries)").fetchall()) == 4
    assert paths_on(service, board) == ["0.png", "1.png", "2.png"]


def test_pictures_are_found_again_in_a_library_that_was_built_anew(service, library, heavy):
    ids = ids_of(service)
    board = make_board(service, "kept", *(ids[f"{number}.png"] for number in (5, 3, 1, 0)))["id"]
    for path in (library / "data").glob("catalog*"):
        path.unlink()
    shutil.rmtree(library / "data" / "builds")
    shutil.rmtree(library / "data" / "vectors")
    pictures = library / "pictures"
    (pictures / "0.png").unlink()  # gone
    (pictures / "sub").mkdir()
    (pictures / "1.png").rename(pictures / "sub" / "one.png")  # moved
    draw(pictures / "3.png", 33)  # changed where it lies
    draw(pictures / "00.png", 50)  # so that all ids are others
    (pictures / "zz.png").write_bytes((pictures / "5.png").read_bytes())  # a copy is not taken for it
    build_of(library, pictures)
    with TestClient(create_app(Settings(data=library / "data", api={"preload_image": False}))) as again:
        found = again.get(f"/v1/boards/{board}").json()
        shown = [(one["path"], one["id"] is None) for one in found["pictures"]]
        assert shown == [("5.png", False), ("3.png", False), ("sub/one.png", False), ("0.png", True)]
        assert (found["missing"], found["board"]["count"]) == (1, 4)
        now = ids_of(again)
        assert now["5.png"] != ids["5.png"]
        assert found["board"]["covers"] == [now["5.png"], now["3.png"], now["sub/one.png"]]
        # What they are called by now has been kept.
        entries = again.app.state.service.boards.store.list_entries(board)
        assert [one.image_id for one in entries][:3] == [now["5.png"], now["3.png"], now["sub/one.png"]]
        assert entries[2].mark.path == "sub/one.png"
        # The id that a picture had is another's: nothing but the picture itself is taken off or left out.
        added = again.post(f"/v1/boards/{board}/pictures", json={"ids": [now["5.png"], now["00.png"]]}).json()
        assert added["count"] == 5
        removed = again.post(f"/v1/boards/{board}/pictures/remove", json={"missing": True}).json()
        assert removed["count"] == 4
        assert paths_on(again, board) == ["5.png", "3.png", "sub/one.png", "00.png"]


def test_a_picture_that_comes_back_is_on_its_board_again(service, library, wait_until):
    ids = ids_of(service)
    board = make_board(service, "b", ids["2.png"], ids["4.png"])["id"]
    path = library / "pictures" / "2.png"
    data = path.read_bytes()

    def is_shown(expected):
        return lambda: paths_on(service, board) == expected

    path.unlink()
    build_of(library, library / "pictures")
    wait_until(is_shown(["gone 2.png", "4.png"]), "the build without it")
    path.write_bytes(data)
    build_of(library, library / "pictures")
    wait_until(is_shown(["2.png", "4.png"]), "the build with it")


def test_two_services_and_several_threads_keep_the_same_boards(library):
    settings = Settings(data=library / "data", api={"preload_image": False})
    with TestClient(create_app(settings)) as one, TestClient(create_app(settings)) as other:
        ids = list(ids_of(one).values())
        board = make_board(one, "shared")["id"]
        clients = [one, other] * 3
        asked = [
            threading.Thread(
                target=client.post, args=(f"/v1/boards/{board}/pictures",), kwargs={"json": {"ids": [own]}}
            )
            for client, own in zip(clients, ids, strict=True)
        ]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join()
        for client in (one, other):
            assert sorted(paths_on(client, board)) == [f"{number}.png" for number in range(6)]
        one.post(f"/v1/boards/{board}/pictures/remove", json={"ids": ids[:5]})
        assert paths_on(other, board) == ["5.png"]


def test_the_file_is_made_once_by_whoever_comes_first(tmp_path):
    store = BoardStore(tmp_path / "boards.sqlite3")
    barrier = threading.Barrier(8)

    def create(number):
        barrier.wait()
        store.create(str(number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.name for one in store.list_boards()) == ["", *map(str, range(8))]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_boards_are_in_a_backup(service, library, tmp_path):
    ids = list(ids_of(service).values())
    board = make_board(service, "kept", *ids[:2])["id"]
    write_backup(library / "data", tmp_path / "saved.tar")
    restore_backup(tmp_path / "saved.tar", tmp_path / "restored")
    opened = open_build(tmp_path / "restored")
    path = tmp_path / "restored" / "boards.sqlite3"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entries = BoardStore(path).list_entries(board)
    assert list(find_again(entries, opened).values()) == ids[:2]
    opened.catalog.close()


def test_boards_as_they_were_are_back_after_a_restore(service, library, tmp_path, heavy):
    ids = list(ids_of(service).values())
    board = make_board(service, "then", *ids[:2])["id"]
    write_backup(library / "data", tmp_path / "saved.tar")
    later = make_board(service, "later", ids[4])["id"]
    service.post(f"/v1/boards/{board}/pictures/remove", json={"ids": ids[:1]}).raise_for_status()
    service.put(f"/v1/boards/{board}", json={"name": "now"}).raise_for_status()
    assert paths_on(service, board) == ["1.png"]
    restore_backup(tmp_path / "saved.tar", library / "data", replace=True)
    assert paths_on(service, board) == ["0.png", "1.png"]  # the same service, whose file was replaced
    assert [one["name"] for one in service.get("/v1/boards").json()["boards"]] == ["Favourites", "then"]
    assert service.get(f"/v1/boards/{later}").status_code == 404
    assert service.post(f"/v1/boards/{board}/pictures", json={"ids": ids[3:4]}).json()["count"] == 3


def test_two_libraries_have_boards_of_their_own(library, made, tmp_path, heavy):
    other = shutil.copytree(made / "data", tmp_path / "other")
    settings = Settings(data=library / "data", libraries={"other": other}, api={"preload_image": False})
    with TestClient(create_app(settings)) as service:
        (image_id, *_) = ids_of(service).values()
        board = make_board(service, "mine", image_id)["id"]
        for prefix, expected in (("/v1", ["favourites", board]), ("/v1/libraries/other", ["favourites"])):
            assert [one["id"] for one in service.get(f"{prefix}/boards").json()["boards"]] == expected
        asked = {"where": "board=mine"}
        assert service.get("/v1/images", params=asked).json()["total"] == 1
        assert service.get("/v1/libraries/other/images", params=asked).json()["code"] == "board_not_found"
        assert service.get(f"/v1/libraries/other/boards/{board}").status_code == 404
        body = {"ids": [image_id]}
        service.post("/v1/libraries/other/boards/favourites/pictures", json=body).raise_for_status()
        found = service.post("/v1/libraries/other/boards/find", json=body).json()["boards"]
        assert [one["id"] for one in found] == ["favourites"]
        assert [one["id"] for one in service.post("/v1/boards/find", json=body).json()["boards"]] == [board]


def test_boards_of_a_library_that_cannot_be_written_to_are_read(service, library, monkeypatch):
    ids = list(ids_of(service).values())
    board = make_board(service, "read", *ids[:2])["id"]
    path, access = library / "data" / "boards.sqlite3", os.access
    monkeypatch.setattr(os, "access", lambda name, mode: mode != os.W_OK and access(name, mode))  # root may write all
    before = sorted(one.name for one in path.parent.iterdir())
    assert paths_on(service, board) == ["0.png", "1.png"]
    assert service.post("/v1/boards/find", json={"ids": ids}).json()["boards"] == [{"id": board, "ids": ids[:2]}]
    assert service.get("/v1/images?where=board=read").json()["total"] == 2
    refused = service.post(f"/v1/boards/{board}/pictures", json={"ids": ids[2:3]})
    assert (refused.status_code, refused.json()["code"]) == (503, "boards_unavailable")
    assert "readonly" in refused.json()["detail"]
    assert sorted(one.name for one in path.parent.iterdir()) == before


def test_a_file_that_cannot_be_used_is_an_error_that_says_so(service, library, tmp_path, heavy):
    path = library / "data" / "boards.sqlite3"
    path.write_bytes(b"no database at all, and longer than its header would be" * 20)
    damaged = path.read_bytes()
    answer = service.get("/v1/boards")
    assert (answer.status_code, answer.json()["code"]) == (503, "boards_damaged")
    assert str(library) not in answer.text
    chinese = service.get("/v1/boards", headers={"accept-language": "zh"}).json()["detail"]
    assert "已损坏" in chinese
    # All else goes on, and nothing is written to it.
    for url in ("/v1/search?q=a", "/v1/images?where=format=png", "/v1/facets?fields=format", "/v1/images/1"):
        assert service.get(url).status_code == 200, url
    assert "board" not in [one["name"] for one in service.get("/v1/fields").json()["fields"]]
    assert service.get("/v1/images?where=board=favourites").json()["code"] == "boards_damaged"
    assert service.post("/v1/boards/favourites/pictures", json={"ids": [1]}).json()["code"] == "boards_damaged"
    assert path.read_bytes() == damaged
    with pytest.raises(BesideDamaged, match=r"boards\.sqlite3 is damaged"):
        write_backup(library / "data", tmp_path / "saved.tar")
    assert [one.level for one in check_boards(situation_of(library / "data"))] == [Level.PROBLEM]
    path.unlink()
    path.mkdir()
    assert service.post("/v1/boards", json={"name": "a"}).json()["code"] == "boards_unavailable"
    path.rmdir()
    make_board(service, "a")
    assert [one.level for one in check_boards(situation_of(library / "data"))] == [Level.OK]
    assert service.get("/v1/fields").json()["fields"][-1]["name"] == "board"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(BoardsUnavailable, match="newer"):
        BoardStore(path).list_boards()
    with pytest.raises(BoardNotFound):
        BoardStore(path.with_name("none.sqlite3")).get_board("x")


# Searching in boards


def test_a_search_is_limited_to_boards(service):
    ids = ids_of(service)
    first = make_board(service, "1", ids["0.png"], ids["2.png"], ids["4.png"])["id"]
    second = make_board(service, "2", ids["4.png"], ids["5.png"])["id"]

    def found(**params):
        answer = service.get("/v1/search", params={"q": "a cat", "k": 50, **params}).raise_for_status().json()
        return sorted(hit["path"] for hit in answer["hits"])

    assert found(board=first) == ["0.png", "2.png", "4.png"]
    assert found(board=f"{first}|{second}") == ["0.png", "2.png", "4.png", "5.png"]
    assert found(where=f"board={first} and board={second}") == ["4.png"]
    assert found(where=f"board={first} and path=2") == ["2.png"]
    assert found(board="favourites") == []
    body = {"clauses": [{"text": "a cat"}], "where": {"fields": {"board": [first]}, "formats": ["png"]}}
    assert len(service.post("/v1/search", json=body).json()["hits"]) == 3
    listed = service.get("/v1/images", params={"where": f"board={second}", "sort": "-path"}).json()
    assert [one["path"] for one in listed["images"]] == ["5.png", "4.png"]
    facets = service.get("/v1/facets", params={"fields": "format", "where": f"board={first}"}).json()
    assert facets["total"] == 3
    assert service.get("/v1/search", params={"q": "a", "board": "none"}).json()["code"] == "board_not_found"
    # What is put on it is found at once, and paging goes on.
    page = service.get("/v1/search", params={"q": "a cat", "board": first, "k": 2}).json()
    service.post(f"/v1/boards/{first}/pictures", json={"ids": [ids["1.png"]]})
    assert found(board=first) == ["0.png", "1.png", "2.png", "4.png"]
    params = {"q": "a cat", "board": first, "k": 2, "after": page["next"]}
    assert service.get("/v1/search", params=params).status_code == 200


def test_boards_are_named_in_conditions_by_id_or_name(service, library):
    ids = ids_of(service)
    summer = make_board(service, "夏天 Summer", ids["0.png"], ids["3.png"])["id"]
    for number in (1, 2):
        make_board(service, "twice", ids[f"{number}.png"])
    service.post("/v1/boards/favourites/pictures", json={"ids": [ids["5.png"]]})

    def listed(where):
        return service.get("/v1/images", params={"where": where, "sort": "path"})

    def paths(where):
        return [one["path"] for one in listed(where).raise_for_status().json()["images"]]

    for named in (summer, "夏天 Summer", "夏天  summer"):
        assert paths(f'board = "{named}"') == ["0.png", "3.png"]
    for named in ("favourites", "Favourites", "收藏"):
        assert paths(f"board={named}") == ["5.png"]
    assert paths('board="夏天 Summer|收藏" and format=png') == ["0.png", "3.png", "5.png"]
    assert paths('board="夏天 Summer", board=收藏') == []
    twice = listed("board=twice")
    assert (twice.status_code, twice.json()["code"]) == (422, "board_ambiguous")
    assert "2 boards are called 'twice'" in twice.json()["detail"]
    assert listed("board=winter").json()["code"] == "board_not_found"
    body = {"q": "a cat", "where": {"board": "夏天 Summer"}}
    assert {hit["path"] for hit in service.post("/v1/search", json=body).json()["hits"]} == {"0.png", "3.png"}

    with xuntu.open(library / "data") as opened:
        assert [one.path for one in opened.pictures('board="夏天 Summer"')] == ["0.png", "3.png"]
        assert {hit.path for hit in opened.search("a cat", where='board="夏天 summer"').hits} == {"0.png", "3.png"}
        assert opened.search("a cat", where="board=收藏 and format=jpeg").hits == []
        with pytest.raises(BoardNotFound, match="winter"):
            opened.search("a cat", where="board=winter")
        with pytest.raises(BoardAmbiguous):
            list(opened.pictures("board=twice"))
        service.post(f"/v1/boards/{summer}/pictures", json={"ids": [ids["4.png"]]}).raise_for_status()
        assert [one.path for one in opened.pictures("board=" + summer)] == ["0.png", "3.png", "4.png"]


def test_an_unknown_field_is_still_refused(service):
    answer = service.get("/v1/images", params={"where": "bored=1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_filter")
    assert "board" in answer.json()["detail"]
    assert service.get("/v1/images", params={"where": "board>1"}).json()["code"] == "invalid_filter"


def test_the_client_has_boards(library, serve_app):
    url = serve_app(create_app(Settings(data=library / "data", api={"preload_image": False})))
    with Client(url) as client:
        ids = [one.id for one in client.images(sort="path").images]
        board = client.create_board("mine", ids[:2])
        assert client.add_to_board(board.id, [ids[3]]).count == 3
        assert client.remove_from_board(board.id, [ids[0]], missing=True).count == 2
        assert client.rename_board(board.id, "yours").name == "yours"
        page = client.board(board.id, k=1)
        assert [one.id for one in client.board(board.id, after=page.next).pictures] == [ids[3]]
        assert [(one.id, one.ids) for one in client.find_boards(ids).boards] == [(board.id, [ids[1], ids[3]])]
        assert [one.name for one in client.boards().boards] == ["Favourites", "yours"]
        client.delete_board(board.id)
        with pytest.raises(errors.ProblemError, match="no board"):
            client.board(board.id)
    assert httpx.get(f"{url}/v1/boards/{board.id}").status_code == 404


def test_names_that_are_no_text_are_found_again(tmp_path):
    name = os.fsencode(tmp_path / "pictures") + b"/\xff\xfe.png"
    draw(tmp_path / "pictures" / "a.png", 1)
    os.rename(tmp_path / "pictures" / "a.png", name)  # noqa: PTH104 - a name of bytes
    build_of(tmp_path, tmp_path / "pictures")
    with TestClient(create_app(Settings(data=tmp_path / "data", api={"preload_image": False}))) as service:
        board = make_board(service, "bytes", *ids_of(service).values())
        assert len(paths_on(service, board["id"])) == 1
        body, headers = b'{"name": "half \\ud800"}', {"content-type": "application/json"}
        assert service.post("/v1/boards", content=body, headers=headers).status_code == 422
