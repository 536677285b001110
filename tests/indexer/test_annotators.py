"""Annotators: what they find is kept by content, filtered, searched, counted and made up for in older libraries."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.config import IndexerSettings
from indexer.library.annotations.fields import AnnotatorRecord, Choice, Field, FieldType
from indexer.library.annotations.values import Failure, from_kept, to_annotation
from indexer.library.builds.current import read_current
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.catalog.writer import Catalog
from indexer.library.duplicates.report import find_duplicates
from indexer.library.errors import CatalogCorrupt, CatalogTooOld
from indexer.library.filters import Filter
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build, verify

ENTER = "INSERT INTO contents (id, sha256, format, width, height) VALUES"
OLD_LIBRARY = Path(__file__).parents[1] / "data" / "library-0.1.tar.gz"

# A plug-in: its code, and what makes it one.
PLUGIN = """
import hashlib
from collections.abc import Sequence

from indexer.library.annotations.values import Failure
from indexer.library.annotations.fields import Choice, Field, FieldType


class Brightness:
    name = "brightness"
    version = {version}
    needs = "{needs}"
    fields = (
        Field(name="light", type=FieldType.CHOICE, label="Light", label_zh="明暗", filterable=True, faceted=True,
              choices=(Choice(name="dark", zh="暗"), Choice(name="bright", zh="亮", aliases=("light",)))),
        Field(name="mean", type=FieldType.NUMBER, label="Mean", label_zh="平均", filterable=True),
        Field(name="said", type=FieldType.TEXT, label="Said", label_zh="描述", searchable=True),
        Field(name="bytes_sha", type=FieldType.TEXT, label="Checksum", label_zh="校验和", filterable=True),
    )

    def annotate(self, batch):
        return [self._annotate(picture) for picture in batch]

    def _annotate(self, picture):
        red, green, blue = picture.image.resize((1, 1)).getpixel((0, 0))
        if red > 250 and green < 5:
            raise RuntimeError("too red")
        if blue > 250 and green < 5:
            return Failure("too blue")
        mean = (red + green + blue) / 3
        name = "bright" if mean > 127 else "dark"
        said = {{"dark": "一张很暗的图 gloomy", "bright": "一张明亮的图 sunlit"}}[name] + " version {version}"
        sha = hashlib.sha256(picture.data).hexdigest() if picture.data else None
        return {{"light": name, "mean": mean, "said": said, "bytes_sha": sha}}
"""


@pytest.fixture
def plug_in(tmp_path, processes):
    """Install a plug-in where Python finds it; return what a process needs in its environment to have it."""

    def install(version: int = 1, needs: str = "thumbnail") -> dict[str, str]:
        folder = tmp_path / "plugins"
        described = folder / "toy-1.0.dist-info"
        described.mkdir(parents=True, exist_ok=True)
        (folder / "toy_annotator.py").write_text(PLUGIN.format(version=version, needs=needs), "utf-8")
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text("[xuntu.annotators]\nbrightness = toy_annotator:Brightness\n")
        return {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(folder)])}

    return install


@pytest.fixture
def shades(album):
    """An album of a dark, a bright, a red and a blue picture."""
    for name, shade in {"dark": "#202020", "bright": "#e0e0d0", "red": "#ff0000", "blue": "#0000ff"}.items():
        Image.new("RGB", (40, 30), shade).save(album.pictures / f"{name}.png")
    return album


def find(album, expression: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    names = {row.id: name for name, row in album.rows().items()}
    found = catalog.ids_where(parse_filter(expression, catalog.fields())).tolist()
    catalog.close()
    return [names[image_id] for image_id in found]


def find_words(album, words: str) -> list[str]:
    catalog = Catalog(album.layout.catalog)
    names = {row.id: name for name, row in album.rows().items()}
    found = sorted(names[image_id] for image_id in catalog.find_texts(f'"{words}"').tolist())
    catalog.close()
    return found


def counts(album, field: str) -> dict[str, int]:
    catalog = Catalog(album.layout.catalog)
    found = dict(catalog.count_values(catalog.fields().find(field), Filter()).values)
    catalog.close()
    return found


# A library of version 0.1


@pytest.fixture
def old_library(tmp_path):
    """A library of version 0.1 with its pictures, as if it had been built where it lies now."""
    with tarfile.open(OLD_LIBRARY) as archive:
        archive.extractall(tmp_path, filter="tar")
    data, pictures = tmp_path / "data", tmp_path / "pictures"
    connection = sqlite3.connect(Layout(data).catalog)
    connection.execute("UPDATE roots SET path = ? || substr(path, length('/pictures') + 1)", (str(pictures),))
    # As much as many pictures take: what is migrated does not wait beside the file until the end of the run.
    connection.execute("UPDATE images SET detail = ? WHERE path = 'missing.png'", ("x" * 6_000_000,))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ((seal,),) = connection.execute("SELECT value FROM meta WHERE key = 'seal'")
    connection.close()
    write_seal(Layout(data).catalog, seal)
    return data


def write_seal(catalog: Path, seal: str) -> None:
    """Seal a catalog as version 0.1 did."""
    info = catalog.stat()
    content = {
        "seal": seal,
        "sha256": hashlib.sha256(catalog.read_bytes()).hexdigest(),
        "stamp": f"{info.st_size}:{info.st_mtime_ns}",
    }
    check = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    catalog.with_suffix(".seal").write_text(json.dumps({**content, "check": check}))


def vector_files(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in (data / "vectors").rglob("*.npy")}


def ids_by_path(data: Path) -> dict[str, int]:
    opened = open_build(data)
    rows = opened.catalog.get_images(opened.index.list_ids().tolist())
    opened.catalog.close()
    return {row.path: row.id for row in rows.values()}


def test_a_library_of_version_0_1_is_brought_up_to_date_and_nothing_is_encoded_again(old_library):
    connection = sqlite3.connect(Layout(old_library).catalog)
    before = dict(connection.execute("SELECT path, id FROM images WHERE status = 'indexed'"))
    connection.close()
    vectors = vector_files(old_library)
    with pytest.raises(CatalogTooOld):
        open_build(old_library)

    report = build(IndexerSettings(data=old_library, workers=0), [], BuildOptions())

    assert (report.encoded, report.removed, report.encoders) == (0, 0, ("starter", "hash"))
    assert vector_files(old_library) == vectors
    assert ids_by_path(old_library) == before
    assert verify(IndexerSettings(data=old_library)) == []
    assert build(IndexerSettings(data=old_library, workers=0), [], BuildOptions()).build == report.build


def test_a_damaged_catalog_of_version_0_1_is_refused_and_left_as_it_is(old_library):
    catalog = Layout(old_library).catalog
    damaged = catalog.read_bytes().replace(b"Canon EOS R5", b"Canon EOS R6")
    catalog.write_bytes(damaged)
    with pytest.raises(CatalogCorrupt, match="it has changed since it was written"):
        build(IndexerSettings(data=old_library, workers=0), [], BuildOptions())
    assert catalog.read_bytes() == damaged


def test_what_version_0_1_found_is_filtered_counted_and_searched_as_before(old_library):
    assert find_unhashed(old_library) == 2
    build(IndexerSettings(data=old_library, workers=0), [], BuildOptions())
    opened = open_build(old_library)
    catalog, fields = opened.catalog, opened.catalog.fields()
    paths = {row.id: row.path for row in catalog.get_images(opened.index.list_ids().tolist()).values()}

    def where(expression: str) -> set[str]:
        found = catalog.ids_where(parse_filter(expression, fields)).tolist()
        return {paths[image_id] for image_id in found if image_id in paths}

    assert where("taken=2023 and dated=camera") == {"2023/beach.jpg"}
    assert where("taken>=2024-05 and dated=camera and colour=红") == {"2024/red.jpg"}
    assert where("format=webp") == {"plain.webp", "copy of plain.webp"}
    assert where("tag=狗|car") == {"a.png", "b.png"}
    assert {paths[n] for n in catalog.find_texts('"海滩"').tolist()} == {"a.png"}
    (row,) = [row for row in catalog.get_images(list(paths)).values() if row.path == "2023/beach.jpg"]
    found = catalog.get_annotations([row.content_id])[row.content_id]
    assert (found["taken"], found["camera"], found["has_gps"]) == ("2023-08-13T10:20:30", "Canon EOS R5", True)
    assert dict(catalog.count_values(fields.find("taken"), Filter()).values) == {"2023": 10, "2024": 1}
    assert [record.name for record in catalog.list_annotators()] == [
        "exif",
        "colours",
        "phash",
        "words",
        "place",
        "ocr",
    ]
    catalog.close()
    assert find_unhashed(old_library) == 0
    (group,) = find_duplicates(old_library).groups
    assert sorted(Path(one.picture.place).name for one in group) == ["copy of plain.webp", "plain.webp"]


def find_unhashed(data: Path) -> int:
    connection = sqlite3.connect(Layout(data).catalog)
    migrated = connection.execute("PRAGMA user_version").fetchone()[0] > 2
    missing = "id NOT IN (SELECT content_id FROM annotation_phash)" if migrated else "phash IS NULL"
    ((count,),) = connection.execute("SELECT count(*) FROM contents WHERE " + missing)  # noqa: S608  one of the two above
    connection.close()
    return count


# Plug-ins


def test_an_annotator_of_a_plug_in_finds_its_values_as_pictures_are_indexed(shades, plug_in):
    done = shades.command("build", shades.pictures, "--encoder", "hash", "--data", shades.data, **plug_in())
    assert done.returncode == 0, done.stderr
    assert find(shades, "light=dark") == ["dark.png"]
    assert find(shades, "light=亮") == find(shades, "light=light") == find(shades, "mean>=200") == ["bright.png"]
    assert find_words(shades, "gloomy") == find_words(shades, "很暗") == ["dark.png"]
    assert counts(shades, "light") == {"bright": 1, "dark": 1}
    assert counts(shades, "colour")["red"] == 1
    facts = shades.ask("stats")["annotators"]
    assert "The annotator brightness failed on 2 pictures" in done.stderr
    assert {"name": "brightness", "version": 1, "annotated": 2, "problems": 2, "left": 0} in facts


def test_a_new_annotator_is_put_to_work_on_what_is_there_without_encoding_anything(shades, plug_in):
    shades.build()
    before = read_current(shades.layout).build
    vectors = vector_files(shades.data)
    done = shades.command("update", "--data", shades.data, **plug_in())
    assert (done.returncode, "0 encoded" in done.stdout) == (0, True), done.stderr
    assert find(shades, "light=dark") == ["dark.png"]
    assert find_words(shades, "sunlit") == ["bright.png"]
    assert read_current(shades.layout).build == before
    assert vector_files(shades.data) == vectors
    assert shades.problems() == []


def test_a_newer_version_looks_at_everything_again(shades, plug_in):
    shades.command("build", shades.pictures, "--encoder", "hash", "--data", shades.data, **plug_in())
    done = shades.command("annotate", "brightness", "--data", shades.data, "--json", **plug_in(version=2))
    assert done.returncode == 0, done.stderr
    (facts,) = [one for one in json.loads(done.stdout) if one["name"] == "brightness"]
    assert facts == {"name": "brightness", "version": 2, "annotated": 2, "problems": 2, "left": 0}
    assert find_words(shades, "version 2") == ["bright.png", "dark.png"]
    assert find_words(shades, "version 1") == []


def test_again_looks_at_everything_again(shades, plug_in):
    environment = plug_in()
    shades.command("build", shades.pictures, "--encoder", "hash", "--data", shades.data, **environment)
    connection = sqlite3.connect(shades.layout.catalog)
    connection.execute("UPDATE annotation_brightness SET mean = 1000")
    connection.execute("UPDATE meta SET value = '' WHERE key = 'seal'")
    connection.commit()
    connection.close()
    shades.command("annotate", "--data", shades.data, **environment)
    assert find(shades, "mean>=1000") == ["blue.png", "bright.png", "dark.png", "red.png"]
    shades.command("annotate", "--again", "--data", shades.data, **environment)
    assert find(shades, "mean>=1000") == []


def test_bytes_are_read_from_where_the_pictures_lie(shades, plug_in):
    packed = shades.folder / "shard.tar"
    with tarfile.open(packed, "w") as archive:
        file = BytesIO()
        Image.new("RGB", (30, 30), "#303030").save(file, "PNG")
        info = tarfile.TarInfo("inside.png")
        info.size = len(file.getvalue())
        archive.addfile(info, BytesIO(file.getvalue()))
    listed = shades.write_list("path,caption\npictures/bright.png,here\n")
    shades.build(packed, listed)
    done = shades.command("annotate", "--data", shades.data, **plug_in(needs="bytes"))
    assert done.returncode == 0, done.stderr
    catalog = Catalog(shades.layout.catalog)
    rows = catalog.get_images(catalog.ids_where(Filter()).tolist())
    found = catalog.get_annotations([row.content_id for row in rows.values()])
    catalog.close()
    assert len(rows) == 2
    assert all(found[row.content_id]["bytes_sha"] == row.sha256 for row in rows.values())


def test_a_picture_out_of_reach_is_left_for_another_time(shades, plug_in):
    shades.build()
    shades.pictures.rename(shades.folder / "elsewhere")
    environment = plug_in(needs="bytes")
    done = shades.command("annotate", "brightness", "--data", shades.data, "--json", **environment)
    assert json.loads(done.stdout)[-1]["left"] == 4
    (shades.folder / "elsewhere").rename(shades.pictures)
    done = shades.command("annotate", "brightness", "--data", shades.data, "--json", **environment)
    assert json.loads(done.stdout)[-1]["left"] == 0


def test_values_stay_when_the_plug_in_is_gone(shades, plug_in):
    shades.command("build", shades.pictures, "--encoder", "hash", "--data", shades.data, **plug_in())
    shades.draw("new.png")
    shades.update()
    assert find(shades, "light=dark") == ["dark.png"]
    assert find_words(shades, "gloomy") == ["dark.png"]


def test_an_annotator_that_is_not_installed_is_named_in_both_languages(shades, processes):
    shades.build()
    done = shades.command("annotate", "smell", "--data", shades.data)
    assert done.returncode == 2
    assert "no annotator 'smell'; installed are exif, colours, phash" in done.stderr
    chinese = shades.command("annotate", "smell", "--data", shades.data, LANG="zh_CN.UTF-8")
    assert "没有标注器" in chinese.stderr


@pytest.mark.parametrize(
    "code",
    [
        "raise RuntimeError('broken')",
        "class Brightness: name = 'Bad Name'; version = 1; fields = (); needs = 'bytes'",
        "class Brightness: name = 'exif'; version = 1; fields = (); needs = 'bytes'",
        """
from indexer.library.annotations.fields import Field, FieldType
class Brightness:
    name = 'b'; version = 1; needs = 'bytes'
    fields = (Field(name='width', type=FieldType.WHOLE, label='w', label_zh='宽'),)
""",
    ],
    ids=["import", "name", "taken name", "taken field"],
)
def test_a_plug_in_that_cannot_be_used_costs_nothing_but_itself(shades, plug_in, code):
    environment = plug_in()
    (shades.folder / "plugins" / "toy_annotator.py").write_text(code, "utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "indexer", "build", shades.pictures, "--encoder", "hash", "--data", shades.data],
        env=shades.environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "the annotator brightness (toy_annotator:Brightness) is not used" in ran.stderr
    assert len(shades.rows()) == 4


# Values


RECORD = AnnotatorRecord(
    "all",
    3,
    (
        Field(name="text", type=FieldType.TEXT, label="", label_zh=""),
        Field(name="words", type=FieldType.WORDS, label="", label_zh=""),
        Field(name="one", type=FieldType.CHOICE, label="", label_zh="", choices=(Choice(name="a"), Choice(name="b"))),
        Field(name="some", type=FieldType.CHOICES, label="", label_zh="", choices=(Choice(name="a"), Choice(name="b"))),
        Field(name="whole", type=FieldType.WHOLE, label="", label_zh=""),
        Field(name="number", type=FieldType.NUMBER, label="", label_zh=""),
        Field(name="moment", type=FieldType.MOMENT, label="", label_zh=""),
        Field(name="flag", type=FieldType.FLAG, label="", label_zh=""),
        Field(name="data", type=FieldType.DATA, label="", label_zh=""),
    ),
)
VALUES = {
    "text": "发票 invoice",
    "words": ["red  car", "猫"],
    "one": "b",
    "some": ["b"],
    "whole": -(2**63),
    "number": 0.5,
    "moment": "2024-05-03T14:30:05",
    "flag": False,
    "data": {"boxes": [[1, 2.5]], "字": None},
}


def test_values_of_every_type_come_back_from_the_catalog(tmp_path):
    catalog = Catalog(tmp_path / "catalog.sqlite3", create=True)
    with catalog.writing():
        catalog.put_annotators([RECORD])
        catalog._connection.execute(f"{ENTER} (7, 'x', 'png', 1, 1), (8, 'y', 'png', 1, 1)")
        catalog.put_annotations(RECORD, [(7, to_annotation(RECORD, VALUES)), (8, to_annotation(RECORD, {}))])
    found = catalog.get_annotations([7, 8])
    assert found[7] == {**VALUES, "words": ["red car", "猫"]}
    assert found[8] == dict.fromkeys(VALUES)
    assert catalog.list_annotators()[-1] == RECORD
    catalog.close()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"colour": "red"}, "no field is called colour"),
        ({"one": "c"}, "'c' is no choice of one"),
        ({"text": 3}, "3 is no text"),
        ({"whole": "many"}, "invalid literal"),
        ({"moment": "yesterday"}, "Invalid isoformat"),
        (Failure("no text in it"), "no text in it"),
    ],
)
def test_values_that_do_not_fit_are_a_problem_and_no_error(values, problem):
    annotation = to_annotation(RECORD, values)
    assert problem in annotation.problem
    assert from_kept(RECORD, annotation.kept) == dict.fromkeys(VALUES)


def test_a_field_of_another_type_in_a_new_version_begins_anew(tmp_path):
    catalog = Catalog(tmp_path / "catalog.sqlite3", create=True)
    newer = AnnotatorRecord(
        "all",
        4,
        (
            Field(name="text", type=FieldType.NUMBER, label="", label_zh=""),
            Field(name="more", type=FieldType.FLAG, label="", label_zh=""),
        ),
    )
    with catalog.writing():
        catalog._connection.execute(f"{ENTER} (7, 'x', 'png', 1, 1)")
        catalog.put_annotators([RECORD])
        catalog.put_annotations(RECORD, [(7, to_annotation(RECORD, VALUES))])
        catalog.put_annotators([newer])
    assert catalog.list_unannotated(newer, 0, 10) == [(7, "x")]
    with catalog.writing():
        catalog.put_annotations(newer, [(7, to_annotation(newer, {"text": 1, "more": True}))])
    assert catalog.get_annotations([7])[7] == {"text": 1.0, "more": True}
    assert catalog.list_unannotated(newer, 0, 10) == []
    catalog.close()


def test_forgetting_a_content_forgets_what_was_found_in_it(full_album, processes):
    (full_album.pictures / "a.png").unlink()
    full_album.update()
    full_album.command("compact", "--data", full_album.data)
    connection = sqlite3.connect(full_album.layout.catalog)
    for table in ("annotation_exif", "annotation_colours", "annotation_phash"):
        assert len(connection.execute(f"SELECT * FROM {table}").fetchall()) == 4  # noqa: S608  one of the three
    connection.close()
    assert np.array(full_album.open().index.list_ids()).size == 4


def test_a_description_that_a_later_version_wrote_is_read():
    values = {**Field(name="a", type=FieldType.TEXT, label="A", label_zh="甲").to_dict()}
    assert Field.from_dict(json.loads(json.dumps(values))).label_zh == "甲"
