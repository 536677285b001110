"""Sources of a library that move, vanish, stand empty or are taken out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import InvalidRoot, RootEmptied, RootTaken, UnknownRoot
from indexer.pipeline.commands import compact, remove_root
from indexer.pipeline.roots import RootState, list_roots, move_root

EACH = 1_700  # pictures of each root of a large library


def state(album) -> dict[str, tuple[str, int]]:
    return {one.path.name: (one.state.value, one.pictures) for one in list_roots(album.settings())}


# A library that moves


def test_pictures_under_a_new_root_keep_their_ids_and_are_shown_once(album):
    album.draw("Photos/a.jpg", "Photos/trip/b.jpg", "Photos/c.png")
    old, new = album.pictures / "Photos", album.pictures / "drive" / "Pictures"
    album.build(old)
    ids = {row.sha256: row.id for row in album.indexed()}
    new.parent.mkdir()
    old.rename(new)
    done = album.build(new)
    assert (done.encoded, done.reused, done.removed, done.warnings) == (0, 3, 0, ())
    assert {row.sha256: row.id for row in album.indexed()} == ids
    assert album.names() == ["drive/Pictures/a.jpg", "drive/Pictures/c.png", "drive/Pictures/trip/b.jpg"]
    assert state(album) == {"Photos": ("not there", 0), "Pictures": ("there", 3)}
    assert album.update().warnings == ()
    assert album.problems() == []


def test_copies_in_a_dead_root_find_a_place_each(album):
    picture = album.draw("old/a.jpg")
    shutil.copy(picture, picture.with_name("b.jpg"))
    album.build(album.pictures / "old")
    (album.pictures / "old").rename(album.pictures / "new")
    album.build(album.pictures / "new")
    assert album.names() == ["new/a.jpg", "new/b.jpg"]
    assert sorted(album.ids().values()) == [1, 2]


def test_what_of_a_dead_root_has_not_turned_up_stays(album):
    album.draw("old/a.jpg", "old/b.jpg", "old/c.jpg")
    album.build(album.pictures / "old")
    (album.pictures / "new").mkdir()
    for name in ("a.jpg", "c.jpg"):
        (album.pictures / "old" / name).rename(album.pictures / "new" / name)
    (album.pictures / "old").rename(album.folder / "unplugged")
    done = album.build(album.pictures / "new")
    assert [type(warning) for warning in done.warnings] == [RootEmptied]
    assert album.names() == ["new/a.jpg", "new/c.jpg", "old/b.jpg"]
    (album.folder / "unplugged").rename(album.pictures / "old")
    album.update()
    assert album.names() == ["new/a.jpg", "new/c.jpg", "old/b.jpg"]


def test_a_copy_of_one_picture_of_an_unplugged_drive_is_a_copy(album):
    album.draw("usb/a.jpg", "usb/b.jpg", "usb/c.jpg", "home/d.jpg")
    usb, home = album.pictures / "usb", album.pictures / "home"
    album.build(usb, home)
    ids = album.ids()
    shutil.copy(usb / "a.jpg", home / "copy.jpg")
    usb.rename(album.folder / "unplugged")
    assert album.update().encoded == 0
    (album.folder / "unplugged").rename(usb)
    album.update()
    assert {name: ids[name] for name in ids} == {name: album.ids()[name] for name in ids}
    assert "home/copy.jpg" in album.names()


def test_a_picture_that_is_replaced_by_one_of_an_unplugged_drive_is_gone(album):
    album.draw("usb/a.jpg", "usb/b.jpg", "usb/c.jpg", "home/d.jpg", "home/e.jpg")
    usb, home = album.pictures / "usb", album.pictures / "home"
    album.build(usb, home)
    ids = album.ids()
    shutil.copy(usb / "a.jpg", home / "d.jpg")
    usb.rename(album.folder / "unplugged")
    album.update()
    assert album.ids() == ids
    assert album.rows()["home/d.jpg"].sha256 == album.rows()["usb/a.jpg"].sha256


def test_a_root_that_is_back_gives_its_pictures_again(album):
    album.draw("usb/a.jpg")
    album.build(album.pictures / "usb")
    shutil.copytree(album.pictures / "usb", album.pictures / "backup")
    (album.pictures / "usb").rename(album.folder / "unplugged")
    album.build(album.pictures / "backup")
    assert album.names() == ["backup/a.jpg"]
    (album.folder / "unplugged").rename(album.pictures / "usb")
    assert album.update().encoded == 0
    assert album.names() == ["backup/a.jpg", "usb/a.jpg"]


def test_a_moved_renamed_and_half_unplugged_library_has_every_picture_once(album, heavy):
    """A root that moved, files that were renamed in it, a root that is not there, and one that is."""
    rng = np.random.default_rng(0)
    from PIL import Image

    for root in ("moved", "unplugged", "here"):
        for number in range(EACH):
            path = album.pictures / root / f"{number % 7}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (4, 4, 3), np.uint8)).save(path)
    album.build(*(album.pictures / root for root in ("moved", "unplugged", "here")))
    before = {row.sha256: row.id for row in album.indexed()}
    (album.pictures / "moved").rename(album.pictures / "elsewhere")
    for number in range(0, EACH, 3):
        path = album.pictures / "elsewhere" / f"{number % 7}" / f"{number}.png"
        path.rename(path.with_name(f"renamed {number}.png"))
    (album.pictures / "unplugged").rename(album.folder / "unplugged")
    done = album.build(album.pictures / "elsewhere")
    assert (done.encoded, done.removed) == (0, 0)
    assert {row.sha256: row.id for row in album.indexed()} == before
    assert len(album.names()) == 3 * EACH
    assert state(album) == {
        "moved": ("not there", 0),
        "unplugged": ("not there", EACH),
        "here": ("there", EACH),
        "elsewhere": ("there", EACH),
    }


# Roots that are said to have moved


def test_a_root_is_moved_by_name_without_reading_it(album, processes):
    album.draw("old/a.jpg", "old/b.jpg")
    album.build(album.pictures / "old")
    ids = sorted(album.ids().values())
    (album.pictures / "old").rename(album.pictures / "new")
    done = album.command("roots", "move", album.pictures / "old", album.pictures / "new", "--data", album.data)
    assert done.returncode == 0, done.stderr
    assert album.names() == ["new/a.jpg", "new/b.jpg"]
    assert sorted(album.ids().values()) == ids
    report = album.update()
    assert (report.reused, report.encoded, report.warnings) == (2, 0, ())
    assert album.problems() == []


def test_a_root_may_take_the_place_of_one_that_was_taken_out(album):
    album.draw("one/a.jpg", "two/b.jpg")
    one, two = album.pictures / "one", album.pictures / "two"
    album.build(one, two)
    remove_root(album.settings(), two)
    shutil.rmtree(two)
    one.rename(two)
    move_root(album.settings(), one, two)
    assert album.names() == ["two/a.jpg"]
    assert album.update().reused == 1


def test_roots_may_take_the_places_of_each_other(album):
    album.draw("a/1.jpg", "a/in/2.jpg")
    album.build(album.pictures / "a", exclude=["in/"])
    album.build(album.pictures / "a" / "in")
    outer, inner = album.pictures / "a", album.pictures / "a" / "in"
    outer.rename(album.pictures / "away")
    outer.mkdir()
    (album.pictures / "away").rename(inner)
    moved = move_root(album.settings(), outer, inner)
    assert moved == [inner, inner / "in"]
    assert album.names() == ["a/in/1.jpg", "a/in/in/2.jpg"]


def test_a_root_moves_to_nothing_but_a_source_of_its_kind(album):
    album.draw("one/a.jpg", "b.jpg")
    album.build(album.pictures / "one")
    with pytest.raises(InvalidRoot):
        move_root(album.settings(), album.pictures / "one", album.pictures / "b.jpg")


def test_a_root_is_named_through_links_though_it_is_gone(album, processes):
    album.draw("disk/one/a.jpg", "two/b.jpg")
    (album.pictures / "link").symlink_to("disk")
    album.build(album.pictures / "link" / "one", album.pictures / "two")
    shutil.rmtree(album.pictures / "disk" / "one")
    done = album.command("roots", "remove", album.pictures / "link" / "one", "--yes", "--data", album.data)
    assert done.returncode == 0, done.stderr
    assert album.names() == ["two/b.jpg"]


def test_taking_out_a_root_inside_another_says_that_its_pictures_come_back(album):
    album.draw("a/1.jpg", "a/in/2.jpg")
    album.build(album.pictures / "a" / "in")
    album.build(album.pictures / "a")
    (warning,) = remove_root(album.settings(), album.pictures / "a" / "in").warnings
    assert str(album.pictures / "a") in warning.en
    album.update()
    assert album.names() == ["a/1.jpg", "a/in/2.jpg"]


def test_all_roots_below_a_folder_move_together(album):
    album.draw("disk/one/a.jpg", "disk/two/b.jpg", "three/c.jpg")
    album.build(*(album.pictures / name for name in ("disk/one", "disk/two", "three")))
    (album.pictures / "disk").rename(album.pictures / "mount")
    moved = move_root(album.settings(), album.pictures / "disk", album.pictures / "mount")
    assert [path.name for path in moved] == ["one", "two"]
    assert album.names() == ["mount/one/a.jpg", "mount/two/b.jpg", "three/c.jpg"]


def test_a_root_moves_neither_from_nowhere_nor_to_nowhere_nor_onto_another(album):
    album.draw("one/a.jpg", "two/b.jpg")
    one, two = album.pictures / "one", album.pictures / "two"
    album.build(one, two)
    with pytest.raises(UnknownRoot) as unknown:
        move_root(album.settings(), album.pictures / "three", one)
    assert str(two) in unknown.value.en
    with pytest.raises(InvalidRoot):
        move_root(album.settings(), one, album.pictures / "three")
    with pytest.raises(RootTaken):
        move_root(album.settings(), one, two)
    assert album.names() == ["one/a.jpg", "two/b.jpg"]


# Roots that are taken out


def test_a_root_is_taken_out_and_comes_back_without_being_encoded(album):
    album.draw("one/a.jpg", "two/b.jpg")
    (album.pictures / "two" / "broken.jpg").write_bytes(b"broken")
    one, two = album.pictures / "one", album.pictures / "two"
    album.build(one, two)
    ids = album.ids()
    report = remove_root(album.settings(), two)
    assert (report.removed, report.reused, report.failed) == (1, 1, 0)
    assert album.names() == ["one/a.jpg"]
    assert album.failures() == {}
    assert state(album) == {"one": ("there", 1)}
    assert album.update().seen == 1
    back = album.build(two)
    assert (back.encoded, back.failed) == (0, 1)
    assert album.ids() == ids
    assert album.problems() == []


def test_a_root_that_was_taken_out_is_forgotten_by_compacting(album):
    album.draw("one/a.jpg", "two/b.jpg")
    album.build(album.pictures / "one", album.pictures / "two")
    remove_root(album.settings(), album.pictures / "two")
    assert compact(album.settings()).forgotten == 1
    assert album.build(album.pictures / "two").encoded == 1


def test_the_command_asks_before_it_takes_a_root_out(album, processes):
    album.draw("one/a.jpg", "two/b.jpg")
    album.build(album.pictures / "one", album.pictures / "two")
    two = album.pictures / "two"
    refused = album.command("roots", "remove", two, "--data", album.data)
    assert refused.returncode == 1
    assert "1 pictures" in refused.stderr
    assert album.names() == ["one/a.jpg", "two/b.jpg"]
    done = album.command("roots", "remove", two, "--yes", "--data", album.data, "--json")
    assert json.loads(done.stdout)["removed"] == 1
    assert album.names() == ["one/a.jpg"]
    unknown = album.command("roots", "remove", two, "--yes", "--data", album.data)
    assert unknown.returncode == 2
    assert str(album.pictures / "one") in unknown.stderr


def test_the_command_lists_roots_and_how_they_stand(album, processes):
    album.draw("here/a.jpg", "gone/b.jpg", "empty/c.jpg")
    album.build(*(album.pictures / name for name in ("here", "gone", "empty")))
    shutil.rmtree(album.pictures / "gone")
    (album.pictures / "empty" / "c.jpg").unlink()
    listed = album.ask("roots")["roots"]
    assert [(Path(one["path"]).name, one["state"], one["pictures"]) for one in listed] == [
        ("here", "there", 1),
        ("gone", "not there", 1),
        ("empty", "empty", 1),
    ]
    table = album.command("roots", "--data", album.data, LANG="zh_CN.UTF-8").stdout
    assert "不在" in table


# Roots that stand empty


def test_emptying_one_root_never_touches_another(album, processes):
    album.draw("usb/a.jpg", "wrong/b.jpg", "home/c.jpg")
    usb, wrong, home = (album.pictures / name for name in ("usb", "wrong", "home"))
    album.build(usb, wrong, home)
    usb.rename(album.folder / "unplugged")
    shown = album.command("build", wrong, "--exclude", "*", "--data", album.data)
    assert "none of its files is wanted" in shown.stderr
    assert "2 pictures" not in shown.stderr
    report = album.build(wrong, exclude=["*"], allow_empty=[wrong])
    assert report.removed == 1
    assert album.names() == ["home/c.jpg", "usb/a.jpg"]
    done = album.command("update", "--allow-empty", usb, "--data", album.data, "--json")
    assert json.loads(done.stdout)["removed"] == 1
    assert album.names() == ["home/c.jpg"]


@pytest.mark.parametrize(
    ("leave", "said", "state"),
    [
        (shutil.rmtree, "is not there", RootState.GONE),
        (lambda root: (root / "a.jpg").unlink(), "is empty now", RootState.EMPTY),
        (lambda root: (root / "a.jpg").rename(root / "a.txt"), "none of its files is wanted", RootState.THERE),
    ],
)
def test_what_is_really_the_matter_is_said(album, leave, said, state):
    album.draw("one/a.jpg", "two/b.jpg")
    album.build(album.pictures / "one", album.pictures / "two")
    leave(album.pictures / "one")
    (warning,) = album.update().warnings
    assert said in warning.en
    assert f"--allow-empty {album.pictures / 'one'}" in warning.en
    assert ("roots move" in warning.en) == (state is RootState.GONE)
    assert next(one.state for one in list_roots(album.settings())) is state
    assert album.names() == ["one/a.jpg", "two/b.jpg"]


def test_a_path_that_is_no_source_is_not_believed_to_be_empty(album):
    album.draw("one/a.jpg")
    album.build(album.pictures / "one")
    with pytest.raises(UnknownRoot):
        album.update(allow_empty=[album.pictures / "two"])
