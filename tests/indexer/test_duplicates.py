"""Exact copies and near-duplicates: the groups, and `index duplicates` on real photographs."""

import csv
import io
import json
import math
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from indexer.annotators.registry import list_annotators
from indexer.config import IndexerSettings
from indexer.library.catalog.writer import Catalog
from indexer.library.duplicates.grouping import MAX_BITS, Rule, _find_by_table, _find_directly, calibrate, group
from indexer.library.duplicates.report import find_duplicates
from indexer.library.layout import Layout
from indexer.library.looks import Detail, Looks, hamming
from indexer.pipeline.backfill import backfill
from indexer.pipeline.commands import BuildOptions, BuildReport, build, verify
from models.pictures.limits import DecodeLimits

# Groups, of columns

RULE = Rule(0.1)


def columns(hashes, contents=None, details=None) -> Looks:
    count = len(hashes)
    return Looks(
        np.arange(count) + 100,
        np.array(contents if contents is not None else range(count), np.int64),
        np.array(hashes, np.uint64),
        np.ones(count, bool),
        np.array(details if details is not None else [0] * count, np.int8),
    )


def all_alike(ids):
    return np.tile(np.array([[1, 0]], np.float32), (len(ids), 1))


def flip(value: int, *bits: int) -> int:
    return value ^ sum(1 << bit for bit in bits)


A = 0xF9F991AC8B9C7C00


def test_a_group_is_a_star_and_never_a_chain():
    chain = [A, flip(A, *range(8)), flip(A, *range(16)), flip(A, *range(24))]  # each 8 bits from the next
    grouping = group(columns(chain), all_alike, RULE)
    assert grouping.leaders.tolist() == [0, 0, 2, 2]
    assert grouping.bits.tolist() == [0, 8, 0, 8]


def test_both_witnesses_have_to_agree():
    looks = columns([A, A, flip(A, *range(9)), flip(A, 1)])

    def fetch(ids):
        return np.array([[1, 0] if image_id != 101 else [0, 1] for image_id in ids], np.float32)

    assert group(looks, fetch, RULE).leaders.tolist() == [0, 1, 2, 0]  # 1: another vector; 2: another hash


def test_the_further_the_hashes_the_nearer_the_vectors():
    for bits in range(0, MAX_BITS + 1, 2):
        for cosine, near in ((RULE.least_cosine(np.array(bits)) + 0.01, True), (0.62 + 0.03 * bits - 0.02, False)):
            vectors = {100: [1, 0], 101: [cosine, math.sqrt(1 - cosine**2)]}
            looks = columns([A, flip(A, *range(bits))])
            found = group(looks, lambda ids, v=vectors: np.array([v[int(n)] for n in ids], np.float32), RULE)
            assert (found.leaders[1] == 0) == near, (bits, cosine)


@pytest.mark.parametrize(("detail", "most"), [(Detail.FULL, 8), (Detail.PLAIN, 4), (Detail.BLANK, -1)])
def test_plain_pictures_have_to_be_nearer_and_blank_ones_have_only_copies(detail, most):
    for bits in range(0, 11, 2):
        looks = columns([A, flip(A, *range(bits)), A], [1, 2, 1], [0, detail, 0])
        assert group(looks, all_alike, RULE).leaders.tolist() == [0, 0 if bits <= most else 1, 0]


def test_pictures_without_hash_have_only_copies():
    assert group(columns([0, 0, 0, 0], [7, 8, 7, 9]), all_alike, RULE).leaders.tolist() == [0, 1, 0, 3]


def test_without_a_rule_only_copies_are_found():
    assert group(columns([A, A, A], [1, 2, 1]), all_alike, None).leaders.tolist() == [0, 1, 0]


def test_nothing_has_no_groups():
    assert group(columns([]), all_alike, RULE).leaders.tolist() == []


def families(seed: int, count: int) -> tuple[Looks, dict[int, np.ndarray]]:
    """Pictures around a few others, near and not so near, in hash and in vector."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, max(1, count // 5), np.uint64, endpoint=False)
    hashes = centres[rng.integers(0, len(centres), count)]
    for n in range(count):
        for bit in rng.integers(0, 64, rng.integers(0, 7)):
            hashes[n] ^= np.uint64(1) << np.uint64(bit)
    angles = rng.choice([0.0, 0.2, 0.5, 1.5], count)
    vectors = {100 + n: np.array([math.cos(a), math.sin(a)], np.float32) for n, a in enumerate(angles)}
    contents = rng.integers(0, max(1, count), count)
    return columns(hashes, contents, rng.choice([0, 0, 0, 1, 2], count)), vectors


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 60))
def test_every_picture_agrees_with_the_one_that_stands_for_it(seed, count, first):
    looks, vectors = families(seed, count)

    def fetch(ids):
        return np.array([vectors[int(n)] for n in ids])

    grouping = group(looks, fetch, RULE)
    leaders = grouping.leaders
    assert (leaders[leaders] == leaders).all()
    assert (leaders <= np.arange(count)).all()
    _, firsts = np.unique(looks.contents, return_index=True)
    for one, leader in enumerate(leaders):
        if looks.contents[one] == looks.contents[leader]:
            assert grouping.bits[one] == 0
            continue
        original = firsts[looks.contents[firsts] == looks.contents[one]][0]
        assert hamming(looks.hashes[original], looks.hashes[leader]) == grouping.bits[one] <= MAX_BITS
        cosine = vectors[100 + int(original)] @ vectors[100 + int(leader)]
        assert cosine == pytest.approx(grouping.cosines[one])
        assert cosine >= RULE.least_cosine(grouping.bits[one])
    # Pictures that follow change nothing of what is before them, which paging relies on.
    part = np.arange(min(first, count))
    assert group(looks[part], fetch, RULE).leaders.tolist() == leaders[part].tolist()


def test_many_hashes_are_compared_as_few_are():
    looks, _ = families(5, 3000)
    values = np.unique(looks.hashes)
    assert len(values) > 2048
    for asked in (values[:1], values[::7], looks.hashes[:100]):
        limits, found = _find_by_table(values)(asked)
        expected_limits, expected = _find_directly(values)(asked)
        assert limits.tolist() == expected_limits.tolist()
        assert found.tolist() == expected.tolist()
    assert len(found) > 200


def test_a_large_library_is_grouped():
    looks, vectors = families(6, 4000)
    leaders = group(looks, lambda ids: np.array([vectors[int(n)] for n in ids]), RULE).leaders
    assert (leaders[leaders] == leaders).all()
    part = np.arange(500)
    small = group(looks[part], lambda ids: np.array([vectors[int(n)] for n in ids]), RULE).leaders
    assert leaders[part].tolist() == small.tolist()


def test_the_rule_is_measured_on_pictures_that_are_different():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 300, np.uint64, endpoint=False)
    vectors = rng.normal(size=(300, 64)).astype(np.float32) + 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rule = calibrate(columns(hashes), vectors, 0.5)
    assert rule.unrelated == pytest.approx(0.5, abs=0.02)
    # A library of nothing but near-duplicates does not make the rule so strict that it finds none of them.
    same = np.full(300, A, np.uint64)
    alike = np.tile(vectors[:1], (300, 1))
    assert calibrate(columns(same), alike, 0.15).unrelated == pytest.approx(0.15)
    assert calibrate(columns([]), vectors[:0], 0.15).unrelated == pytest.approx(0.15)


# A library


def change(photographs: Path, folder: Path) -> None:
    """Put photographs, copies and changed versions of them into a folder."""
    names = ("china.jpg", "flower.jpg", "coffee.png", "cat.png", "people/astronaut.png", "motorcycle.png", "rocket.jpg")
    for name in names:
        shutil.copyfile(photographs / name, folder / Path(name).name)
    (folder / "copies").mkdir()
    shutil.copyfile(folder / "china.jpg", folder / "copies" / os.fsdecode(b"\xff\xe4.jpg"))
    shutil.copyfile(folder / "rocket.jpg", folder / "copies" / "rocket.jpg")

    def opened(name: str) -> Image.Image:
        return Image.open(folder / name).convert("RGB")

    exif = Image.Exif()
    exif[274] = 6  # stored lying on its side
    opened("china.jpg").transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", quality=90, exif=exif)
    opened("flower.jpg").resize((320, 213), Image.Resampling.LANCZOS).save(folder / "flower-small.webp", quality=80)
    opened("coffee.png").save(folder / "coffee.jpg", quality=60)
    ImageEnhance.Brightness(opened("cat.png")).enhance(1.15).save(folder / "cat-bright.jpg", quality=85)
    width, height = opened("motorcycle.png").size
    opened("motorcycle.png").crop((8, 5, width - 8, height - 5)).save(folder / "motorcycle-cut.png")
    for name in ("red", "blue", "black"):
        Image.new("RGB", (400, 300), name).save(folder / f"flat-{name}.png")
    Image.linear_gradient("L").resize((400, 300)).save(folder / "flat-gradient.png")
    for number in range(3):
        paper = Image.new("RGB", (600, 800), "white")
        pen = ImageDraw.Draw(paper)
        pen.rectangle((40, 40, 560, 90), fill="navy")
        for line in range(8):
            pen.text(
                (60, 140 + 40 * line), f"Item {line} of order {number}: {(7 + number) * (line + 3) * 1.5:.2f}", "black"
            )
        paper.save(folder / f"invoice-{number}.png")


@pytest.fixture(scope="module")
def shelf(photographs, tmp_path_factory) -> Path:
    """Pictures, and their library in `data`. Not to be changed."""
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "pictures").mkdir()
    change(photographs, folder / "pictures")
    settings = IndexerSettings(data=folder / "data", workers=0)
    build(settings, [folder / "pictures"], BuildOptions(encoders=["starter"]))
    return folder


def told(report, folder: Path) -> list[list[tuple[str, str]]]:
    return [
        [(one.why, os.path.relpath(one.picture.place, folder / "pictures")) for one in found] for found in report.groups
    ]


COPY_OF_CHINA = "copies/" + os.fsdecode(b"\xff\xe4.jpg")
EXPECTED = [
    [("kept", "china.jpg"), ("copy", COPY_OF_CHINA), ("near", "turned.jpg")],
    [("kept", "rocket.jpg"), ("copy", "copies/rocket.jpg")],
    [("kept", "flower.jpg"), ("near", "flower-small.webp")],
    [("kept", "coffee.png"), ("near", "coffee.jpg")],
    [("kept", "cat.png"), ("near", "cat-bright.jpg")],
    [("kept", "motorcycle.png"), ("near", "motorcycle-cut.png")],
]


def test_copies_and_changed_versions_are_grouped_and_nothing_else(shelf):
    report = find_duplicates(shelf / "data")
    assert sorted(told(report, shelf)) == sorted(EXPECTED)
    assert (report.compared, report.unhashed) == (21, 0)
    for found in report.groups:
        for one in found:
            assert (one.bits is not None) == (one.cosine is not None) == (one.why == "near")
    spare = [sum(one.picture.stamp.size for one in found[1:]) for found in report.groups]
    assert spare == sorted(spare, reverse=True)


def test_exact_groups_are_files_with_the_same_bytes(shelf):
    report = find_duplicates(shelf / "data", exact=True)
    assert sorted(told(report, shelf)) == [
        [("kept", "china.jpg"), ("copy", COPY_OF_CHINA)],
        [("kept", "rocket.jpg"), ("copy", "copies/rocket.jpg")],
    ]


def test_the_one_to_keep_is_the_largest_then_the_older(album, photographs, heavy):
    image = Image.open(photographs / "china.jpg").convert("RGB")
    image.resize((320, 214)).save(album.pictures / "small.png")  # more bytes than the next two, and fewer pixels
    image.save(album.pictures / "better.jpg", quality=90)
    image.save(album.pictures / "worse.jpg", quality=30)
    for name, seconds in (("new.jpg", 2_000_000_000), ("old.jpg", 1_000_000_000)):
        shutil.copyfile(album.pictures / "better.jpg", album.pictures / name)
        os.utime(album.pictures / name, (seconds, seconds))
    os.utime(album.pictures / "better.jpg", (1_500_000_000, 1_500_000_000))
    album.build(encoders=["starter"])
    (found,) = find_duplicates(album.data).groups
    assert [Path(one.picture.place).name for one in found] == [
        "old.jpg",
        "better.jpg",
        "new.jpg",
        "worse.jpg",
        "small.png",
    ]
    assert [one.why for one in found] == ["kept", "copy", "copy", "near", "near"]


def test_one_file_under_several_names_is_no_duplicate_of_itself(album):
    album.draw("kept.png", "linked.png", "copied.png")
    (album.pictures / "a link.png").symlink_to("linked.png")
    (album.pictures / "hard.png").hardlink_to(album.pictures / "linked.png")
    (album.pictures / "another link.png").symlink_to("copied.png")
    shutil.copyfile(album.pictures / "copied.png", album.pictures / "copy.png")
    table = album.write_list("path\npictures/kept.png\npictures/copied.png\n")
    assert album.build(album.pictures, table).failed == 0
    (found,) = find_duplicates(album.data).groups
    assert {Path(one.picture.place) for one in found} == {album.pictures / "copied.png", album.pictures / "copy.png"}
    assert [one.why for one in found] == ["kept", "copy"]


def test_pictures_that_are_gone_are_in_no_group(album):
    album.draw("a.png")
    for name in ("b.png", "c.png"):
        shutil.copyfile(album.pictures / "a.png", album.pictures / name)
    album.build()
    (album.pictures / "a.png").unlink()
    album.update()
    (found,) = find_duplicates(album.data).groups
    assert [Path(one.picture.place).name for one in found] == ["b.png", "c.png"]


@pytest.fixture
def unhashed(shelf, tmp_path) -> Path:
    """The library of `shelf`, as one of a version that made no hashes."""
    data = tmp_path / "data"
    shutil.copytree(shelf / "data", data)
    connection = sqlite3.connect(Layout(data).catalog)
    connection.executescript("DELETE FROM annotation_phash; UPDATE meta SET value = '' WHERE key = 'seal'")
    connection.close()
    return data


def update(data: Path) -> BuildReport:
    return build(IndexerSettings(data=data, workers=0), [], BuildOptions())


def test_an_update_makes_hashes_that_were_never_made_of_thumbnails(shelf, unhashed):
    report = find_duplicates(unhashed)
    assert [[why for why, _ in found] for found in told(report, shelf)] == [["kept", "copy"]] * 2
    assert report.unhashed == 19
    assert find_duplicates(unhashed, exact=True).unhashed == 0
    before = find_duplicates(unhashed).build
    assert update(unhashed).build == before
    report = find_duplicates(unhashed)
    assert sorted(told(report, shelf)) == sorted(EXPECTED)
    assert report.unhashed == 0
    assert verify(IndexerSettings(data=unhashed)) == []


def test_making_hashes_goes_on_where_it_stopped(shelf, unhashed):
    for left in (11, 3, 0, 0):
        catalog = Catalog(Layout(unhashed).catalog, create=True)
        backfill(catalog, Layout(unhashed), list_annotators(), DecodeLimits(), most=8)
        catalog.close()
        assert find_duplicates(unhashed).unhashed == left
    assert sorted(told(find_duplicates(unhashed), shelf)) == sorted(EXPECTED)


def test_hashes_whose_thumbnails_are_gone_are_made_of_the_pictures(shelf, unhashed):
    shutil.rmtree(Layout(unhashed).thumbnails)
    update(unhashed)
    report = find_duplicates(unhashed)
    assert report.unhashed == 0
    assert sorted(told(report, shelf)) == sorted(EXPECTED)


def test_the_command_prints_a_table_csv_and_json_and_deletes_nothing(shelf, album, processes):
    before = sorted(path for path in shelf.rglob("*") if "-shm" not in path.name and "-wal" not in path.name)
    table = album.command("duplicates", "--data", shelf / "data")
    assert table.returncode == 0
    lines = table.stdout.splitlines()
    assert lines[0].split() == ["group", "why", "file", "pixels", "bytes", "date"]
    assert len(lines) == 1 + sum(map(len, EXPECTED))
    assert sum("the one to keep" in line for line in lines) == 6
    assert sum("exact copy" in line for line in lines) == 2
    assert sum("near-duplicate, " in line and " bits, cosine " in line for line in lines) == 5
    assert "Nothing was deleted." in table.stderr

    chinese = album.command("duplicates", "--data", shelf / "data", "--exact", LANG="zh_CN.UTF-8")
    assert chinese.stdout.count("完全相同") == 2
    assert "没有删除任何文件" in chinese.stderr

    rows = list(csv.DictReader(io.StringIO(album.command("duplicates", "--data", shelf / "data", "--csv").stdout)))
    assert [row["group"] for row in rows] == sorted(row["group"] for row in rows)
    found = album.ask("duplicates", "--data", shelf / "data")
    flat = [one for group in found["groups"] for one in group]
    assert [row["file"] for row in rows] == [one["file"].encode("utf-8", "backslashreplace").decode() for one in flat]
    assert any(one["file"] == f"{shelf}/pictures/{COPY_OF_CHINA}" for one in flat)
    assert set(flat[0]) == {
        *("why", "bits", "cosine", "id", "file", "width", "height", "bytes", "taken_at", "modified_at"),
    }
    assert found["pictures"] == 21
    assert json.dumps(found)
    assert sorted(path for path in shelf.rglob("*") if "-shm" not in path.name and "-wal" not in path.name) == before


def test_a_library_without_duplicates_says_so(album, full_album, processes):
    done = album.command("duplicates", "--data", album.data)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Groups among 5 pictures: 0." in done.stderr


def test_without_a_library_it_says_what_to_run(album, processes):
    done = album.command("duplicates", "--data", album.folder / "nothing")
    assert done.returncode != 0
    assert "xuntu index build" in done.stderr
