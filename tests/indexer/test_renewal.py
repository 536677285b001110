"""Pictures that an earlier version of the decoder read otherwise: found by the next update, and encoded again."""

import io
import sqlite3

import numpy as np
import pytest
from PIL import Image, ImageCms

from indexer.library.catalog.migrations import SCRIPTS
from indexer.library.catalog.writer import Catalog
from models.pictures.colour import profile_of_code_points
from models.pictures.formats import DECODING

P3, LINEAR = profile_of_code_points(12, 13), profile_of_code_points(1, 8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def make_older(album, *, failing: tuple[str, ...] = ()) -> None:
    """Leave the library as the version before left it, which refused the files `failing`."""
    connection = sqlite3.connect(album.layout.catalog)
    connection.execute("UPDATE contents SET decoding = 1, partial = 0, dropped = ''")
    connection.execute("DELETE FROM meta WHERE key = 'decoding'")
    connection.execute("UPDATE meta SET value = '' WHERE key = 'seal'")
    for name in failing:
        ((content,),) = connection.execute("SELECT content_id FROM images WHERE path = ?", (name,)).fetchall()
        connection.execute("DELETE FROM vectors WHERE content_id = ?", (content,))
        connection.execute("UPDATE images SET status = 'failed', reason = 'corrupt' WHERE path = ?", (name,))
    connection.commit()
    connection.close()


def thumbnail(album, name: str) -> tuple[int, ...]:
    with Image.open(album.layout.thumbnail(album.rows()[name].sha256)) as image:
        return image.convert("RGB").resize((1, 1)).getpixel((0, 0))


def test_pictures_that_look_otherwise_are_encoded_again_and_others_are_not(album):
    album.draw("plain.jpg", "plain.png", "grey.webp", "indexed.gif")
    album.draw("srgb.jpg", icc_profile=SRGB)
    album.draw("wide.jpg", icc_profile=P3)
    album.draw("wide.png", icc_profile=LINEAR)
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 60).save(album.pictures / "depth.png")
    album.build()
    ids, colour = album.ids(), thumbnail(album, "wide.png")
    make_older(album)
    Image.new("RGB", (48, 36)).save(album.layout.thumbnail(album.rows()["wide.png"].sha256), "WEBP")
    done = album.update()
    assert (done.encoded, done.reused, done.failed) == (3, 5, 0)
    assert album.ids() == ids
    assert thumbnail(album, "wide.png") == colour
    assert album.problems() == []
    assert (album.update().encoded, album.update().reused) == (0, 8)


def test_files_that_were_refused_are_tried_again_once(album):
    album.draw("a.png")
    whole = (album.pictures / "a.png").read_bytes()
    at = whole.index(b"IDAT") - 4
    (album.pictures / "odd.png").write_bytes(whole[:at] + b"\0\0\0\2pHYs\0\0\0\0\0\0" + whole[at:])
    (album.pictures / "damaged.png").write_bytes(whole[:at] + bytes(200))
    album.build()
    make_older(album, failing=("odd.png",))
    done = album.update()
    assert (done.encoded, done.failed) == (1, 1)
    assert album.names() == ["a.png", "odd.png"]
    assert list(album.failures()) == ["damaged.png"]


def test_what_is_out_of_sight_is_looked_at_when_it_is_back(album):
    album.draw("a.png", "trip/b.jpg", icc_profile=P3)
    album.build()
    make_older(album)
    (album.pictures / "trip").rename(album.folder / "elsewhere")
    assert album.update().encoded == 1
    (album.folder / "elsewhere").rename(album.pictures / "trip")
    album.update()
    assert album.update().encoded in {0, 1}
    connection = sqlite3.connect(album.layout.catalog)
    assert connection.execute("SELECT DISTINCT decoding FROM contents").fetchall() == [(DECODING,)]
    connection.close()


def test_a_run_that_is_interrupted_is_gone_on_with(album, monkeypatch):
    album.draw(*(f"{n}.png" for n in range(6)), icc_profile=P3)
    album.build()
    make_older(album)
    monkeypatch.setattr("indexer.pipeline.renew._AT_ONCE", 2)

    def interrupt(done: int, _total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        album.update(on_renew=interrupt)
    assert len(album.names()) == 6  # the build before still answers
    assert album.update().encoded == 6
    assert album.problems() == []


def test_a_catalog_of_the_format_before_says_that_its_pictures_are_older(tmp_path):
    path = tmp_path / "catalog.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(";".join(SCRIPTS[:4]) + ";PRAGMA user_version = 4")
    connection.executescript(
        "INSERT INTO roots (id, path) VALUES (1, '/p');"
        "INSERT INTO contents (id, sha256, format, width, height) VALUES (7, 'abc', 'png', 1, 1);"
        "INSERT INTO images (root_id, path, status, content_id) VALUES (1, 'a.png', 'indexed', 7)"
    )
    connection.close()
    catalog = Catalog(path, create=True)
    assert catalog.list_earlier_decoded(0, 10) == [7]
    assert catalog.list_remarks() == []
    catalog.close()


def test_the_report_says_what_was_not_read_of_pictures_that_are_indexed(album, processes):
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)).save(picture, "JPEG")
    whole = picture.getvalue()
    (album.pictures / "cut.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    (album.pictures / "odd.jpg").write_bytes(whole[:2] + b"\xff\xe0\0\7JFIF\0" + whole[2:])
    (album.pictures / "both.jpg").write_bytes(whole[:2] + b"\xff\xe0\0\7JFIF\0" + whole[2 : len(whole) * 4 // 5])
    album.build()
    parts = {entry.pop("path").rpartition("/")[2]: entry for entry in album.ask("report")["indexed_in_part"]}
    assert parts == {
        "cut.jpg": {"partial": True, "dropped": []},
        "odd.jpg": {"partial": False, "dropped": ["APP0"]},
        "both.jpg": {"partial": True, "dropped": ["APP0"]},
    }
    shown = album.command("report", "--data", album.data, LANG="zh_CN.UTF-8").stdout
    assert "无法读取的元数据：APP0" in shown
    assert shown.count("图片的末尾") == 2


def test_what_stops_before_pictures_are_encoded_again_costs_none(album, monkeypatch):
    album.draw("plain.jpg")
    album.draw("wide.jpg", icc_profile=P3)
    album.build()
    make_older(album)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("indexer.pipeline.encoding.EncodeRun.run", stop)
        with pytest.raises(KeyboardInterrupt):
            album.update()
    album.rebuild()
    assert album.names() == ["plain.jpg", "wide.jpg"]
    assert album.update().encoded == 1
    assert album.update().encoded == 0
    assert album.problems() == []
