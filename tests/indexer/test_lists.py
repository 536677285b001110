"""Pictures that come from lists (CSV, JSON lines, Parquet), through the front door."""

import json
import os
import re
from threading import Event, Thread

import pytest

from indexer.errors import InvalidList, InvalidRoot, RootEmptied
from indexer.pipeline.watch import watch


def test_a_list_names_pictures_with_captions_and_tags(album):
    album.draw("a.png", "b.jpg", "sub/c.webp", "not_named.png")
    table = album.write_list(
        "filename,caption,tags\n"
        'pictures/a.png,"一只猫, 在草地上",猫；草地;草地\n'
        "pictures/../pictures/b.jpg,a dog,\n"
        f"{album.pictures / 'sub/c.webp'},,\n",
    )
    report = album.build(table)
    assert (report.encoded, report.failed) == (3, 0)
    found = album.by_path()
    assert {path: (row.source.kind, row.caption, row.tags) for path, row in found.items()} == {
        "pictures/a.png": ("list", "一只猫, 在草地上", "猫\n草地"),
        "pictures/b.jpg": ("list", "a dog", ""),
        "pictures/sub/c.webp": ("list", "", ""),
    }
    assert found["pictures/a.png"].place == str(album.pictures / "a.png")


def test_what_is_unchanged_is_not_read_again_and_captions_follow(album):
    album.draw("a.png", "b.png")
    table = album.write_list("path,caption\npictures/a.png,one\npictures/b.png,two\n")
    album.build(table)
    ids = {path: row.id for path, row in album.by_path().items()}
    assert album.update().encoded == 0
    album.write_list("path,caption\npictures/b.png,three\n")
    report = album.update()
    assert (report.encoded, report.removed) == (0, 1)
    album.write_list("path,caption\npictures/b.png,three\npictures/a.png,four\n")
    report = album.update()
    assert (report.encoded, report.removed) == (0, 0)
    assert {path: (row.id, row.caption) for path, row in album.by_path().items()} == {
        "pictures/a.png": (ids["pictures/a.png"], "four"),
        "pictures/b.png": (ids["pictures/b.png"], "three"),
    }


@pytest.mark.parametrize(
    ("encoding", "suffix"),
    [("utf-8", "csv"), ("utf-8-sig", "csv"), ("gbk", "csv"), ("utf-16", "csv"), ("utf-16", "tsv")],
)
def test_the_encodings_that_spreadsheets_write(album, encoding, suffix):
    album.draw("图/猫咪.png")
    separator = "\t" if suffix == "tsv" else ","
    lines = [["路径", "说明", "标签"], ["pictures/图/猫咪.png", "草地上的猫", "猫、草地"]]
    table = album.write_list("\r\n".join(map(separator.join, lines)), f"list.{suffix}", encoding)
    album.build(table)
    row = album.by_path()["pictures/图/猫咪.png"]
    assert (row.caption, row.tags) == ("草地上的猫", "猫\n草地")


def test_other_separators_and_quoted_lines(album):
    album.draw("a.png")
    table = album.write_list('\ufeffFile; Title\n"pictures/a.png";"two\nlines; and ""more"""\n')
    album.build(table)
    assert album.by_path()["pictures/a.png"].caption == 'two\nlines; and "more"'


def test_rows_that_name_a_picture_twice_are_one_picture(album):
    album.draw("a.png")
    table = album.write_list(
        "image,caption,tags\npictures/a.png,one,x\n./pictures/a.png,two,y\npictures//a.png,one,x\n"
    )
    assert album.build(table).seen == 1
    row = album.by_path()["pictures/a.png"]
    assert (row.caption, row.tags) == ("one\ntwo", "x\ny")


def test_bad_rows_are_reported_with_their_number_and_stop_nothing(album):
    album.draw("a.png")
    (album.pictures / "text.png").write_text("no picture")
    good = json.dumps({"path": "pictures/a.png", "caption": ["一", "二"], "tags": ["x, y", " z ", 3]})
    lines = [
        good,
        '{"path": "pictures/broken',
        "",
        '{"caption": "no path"}',
        '["a list"]',
        '{"path": "pictures/\\ud800.png"}',
        '{"path": "nul\\u0000.png"}',
        '{"path": 5}',
        '{"path": {"bytes": "x"}}',
        "[" * 100_000,
        '{"path": "s3://bucket/a.png"}',
        '{"path": "http://user:password@host/a.png"}',
        '{"path": "pictures/gone.png"}',
        '{"path": "pictures/text.png"}',
    ]
    table = album.write_list("\n".join(lines), "list.jsonl")
    table.write_bytes(table.read_bytes() + b'\n{"path": "\xff\xfe.png"}\n')
    report = album.build(table)
    assert (report.encoded, report.failed) == (1, 13)
    row = album.by_path()["pictures/a.png"]
    assert (row.caption, row.tags) == ("一\n二", "x, y\nz\n3")
    unreadable = dict.fromkeys([f"{table}/#{n}" for n in (2, 5, 10)], "row_unreadable")
    nameless = dict.fromkeys([f"{table}/#{n}" for n in (4, 6, 7, 8, 9)], "row_without_picture")
    assert album.failed() == {
        **unreadable,
        **nameless,
        "s3://bucket/a.png": "url_invalid",
        "http://host/a.png": "url_invalid",
        str(album.pictures / "gone.png"): "not_found",
        str(album.pictures / "text.png"): "not_an_image",
        os.fsdecode(bytes(album.folder) + b"/\xff\xfe.png"): "not_found",
    }
    assert album.update().failed == 13
    album.write_list(good, "list.jsonl")
    assert album.update().failed == 0
    assert album.failed() == {}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gbk"])
def test_json_lines_in_the_encodings_of_other_tools(album, encoding):
    album.draw("猫.png")
    line = json.dumps({"path": "pictures/猫.png", "caption": "草地上的猫在等人"}, ensure_ascii=False)
    album.build(album.write_list(f"{line}\r\n\r\n", "list.jsonl", encoding))
    assert album.by_path()["pictures/猫.png"].caption == "草地上的猫在等人"


@pytest.mark.parametrize(
    "text",
    [
        "\n\r\n\npath,caption\npictures/a.png,x\n",
        "sep=;\npath;caption\npictures/a.png;x\n",
        "path,caption\n,\npictures/a.png,x\n\n , \n,,\n",
        "path,caption,caption,Path\npictures/a.png,x,y,pictures/b.png\n",
        'path, caption\npictures/a.png, "x"\n',
        '"a, name";path;caption\nz;pictures/a.png;x\n',
        'caption,path\n"x"  ,pictures/a.png\n',
        "path,caption\rpictures/a.png,x,more,than,columns\r",
    ],
)
def test_what_spreadsheets_and_people_do_to_tables(album, text):
    album.draw("a.png", "b.png")
    report = album.build(album.write_list(text))
    assert (report.encoded, report.failed) == (1, 0)
    assert album.by_path()["pictures/a.png"].caption == "x"


@pytest.mark.parametrize(
    ("rows", "captions"),
    [
        ('a,"a cat\nb,x\nc,y', ["a cat", "x", "y"]),
        ('a,"a cat\nb,"a dog"\nc,y', ["a cat", "a dog", "y"]),
        ('"a","say ""\n"b","x"\n"c","y"', ['say "', "x", "y"]),
        ('"a","a "big" cat"\n"b","x"\n"c","two\nlines"', ['a big" cat"', "x", "two\nlines"]),
        ('a,x\nb,x\nc,"y', ["x", "x", "y"]),
        ('a,"x' + "\n" * 2000 + 'b,x\nc,"y"', ["x", "x", "y"]),
    ],
)
def test_a_forgotten_quotation_mark_swallows_no_other_row(album, rows, captions):
    names = ["pictures/a.png", "pictures/b.png", "pictures/c.png"]
    album.draw("a.png", "b.png", "c.png")
    for name in names:
        rows = re.sub(rf"(?m)^(\"?){name[9]}(?=[\",])", rf"\1{name}", rows)
    album.build(album.write_list(f"path,caption\n{rows}"))
    assert [album.by_path()[name].caption for name in names] == captions


def test_long_texts_are_cut_and_spoil_no_other_row(album):
    album.draw("a.png", "b.png")
    tags = ";".join(f"tag {n}" for n in range(9000))
    album.build(album.write_list(f'path,caption,tags\npictures/a.png,"{"x" * 2_000_000}",{tags}\npictures/b.png,y,\n'))
    found = album.by_path()
    assert (found["pictures/a.png"].caption, found["pictures/b.png"].caption) == ("x" * 20_000, "y")
    kept = found["pictures/a.png"].tags.split("\n")
    assert kept == [f"tag {n}" for n in range(len(kept))]
    assert 19_990 <= len(found["pictures/a.png"].tags) <= 20_000


def test_a_few_broken_bytes_spoil_neither_other_rows_nor_names(album):
    name = os.fsdecode("猫.png".encode("gbk"))
    album.draw("猫.png")
    (album.pictures / name).write_bytes((album.pictures / "猫.png").read_bytes())
    table = album.folder / "list.csv"
    cut = "一只猫在草地上".encode()[:-1]
    table.write_bytes("path,caption\npictures/猫.png,".encode() + cut + b"\npictures/" + os.fsencode(name) + b",x\n")
    album.build(table)
    found = album.by_path()
    assert found["pictures/猫.png"].caption == "一只猫在草地??"
    assert found[f"pictures/{name}"].caption == "x"


def test_columns_of_json_lines_may_come_late(album, heavy):
    names = [f"{n}.png" for n in range(130)]
    album.draw(*names)
    lines = [json.dumps({"file": f"pictures/{name}"}) for name in names[:129]]
    lines.append(json.dumps({"file": "pictures/129.png", "path": "elsewhere.png", "caption": "last", "tags": "x"}))
    assert album.build(album.write_list("\n".join(lines), "list.jsonl")).failed == 0
    row = album.by_path()["pictures/129.png"]
    assert (row.caption, row.tags) == ("last", "x")


def test_lists_within_lists_are_no_text_however_deep(album):
    album.draw("a.png", "b.png")
    for depth in (3, 500, 900, 950, 990):  # the last may be too deep to be read at all
        nested = "[" * depth + '"x"' + "]" * depth
        line = f'{{"path": "pictures/b.png", "caption": {nested}, "tags": {nested}}}'
        report = album.build(album.write_list(f'{{"path": "pictures/a.png"}}\n{line}', "list.jsonl"))
        assert report.failed == 0 or (depth > 500 and set(album.failed().values()) == {"row_unreadable"})
        assert {(row.caption, row.tags) for row in album.indexed()} == {("", "")}


def test_files_with_names_like_rows_are_themselves(album):
    album.draw("a.png")
    for name in ("#3", "#4", "7"):
        (album.folder / name).write_bytes((album.pictures / "a.png").read_bytes())
    (album.folder / "7").write_text("no picture")
    table = album.write_list('{"path": "#3"}\n{"path": "#4"}\n{}\nbroken\n{"path": "7"}', "list.jsonl")
    assert album.build(table).failed == 3
    assert {row.place for row in album.indexed()} == {str(album.folder / "#3"), str(album.folder / "#4")}
    assert album.failed() == {
        f"{table}/#3": "row_without_picture",
        f"{table}/#4": "row_unreadable",
        str(album.folder / "7"): "not_an_image",
    }


def test_a_drive_that_is_not_plugged_in_is_no_loss(album):
    album.draw("a.png", "b.png")
    table = album.write_list("path\npictures/a.png\npictures/b.png\nhttps://host.invalid/c.png\n")
    settings = album.settings(offline=True)
    album.build(table, settings=settings)
    album.pictures.rename(album.folder / "unplugged")
    with pytest.raises(RootEmptied, match="held 2 pictures"):
        album.build(table, settings=settings)
    assert len(album.by_path()) == 2
    (album.folder / "unplugged").rename(album.pictures)
    assert album.build(table, settings=settings).encoded == 0
    (album.pictures / "b.png").unlink()
    album.build(table, settings=settings)
    assert list(album.by_path()) == ["pictures/a.png"]
    (album.pictures / "a.png").unlink()
    assert album.build(table, settings=settings, allow_empty=[table]).failed == 3
    assert album.by_path() == {}


def test_what_fails_again_changes_no_index(album):
    album.draw("a.png")
    table = album.write_list("path\npictures/a.png\npictures/gone.png\n")
    first = album.build(table)
    assert (album.update().build, album.update().failed) == (first.build, 1)
    (album.pictures / "a.png").write_bytes(b"broken")
    second = album.update()
    assert (second.build != first.build, second.failed, len(album.by_path())) == (True, 2, 0)
    assert album.update().build == second.build


def test_a_list_that_is_gone_or_empty_removes_nothing(album):
    album.draw("a.png", "b.png")
    table = album.write_list("path\npictures/a.png\npictures/b.png\n")
    album.build(table)
    for change in (lambda: table.write_text("path\n"), lambda: table.write_text(""), table.unlink):
        change()
        with pytest.raises(RootEmptied, match="held 2 pictures"):
            album.update()
        assert len(album.by_path()) == 2
    assert album.update(allow_empty=[table]).removed == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.csv", b"name,size\na.png,3\n", ["name, size", "--path-column"]),
        ("list.jsonl", b'{"name": "a.png"}\n', ["name", "--path-column"]),
        ("list.csv", b"path,caption\na.png,caf\xe9 \xff\xff\n", ["UTF-8", "GBK"]),
        ("list.csv", "path,caption\na.png,猫\n".encode("utf-16-le"), ["UTF-8", "GBK"]),
        ("list.csv", b"path\na.png\n" + b"a" * (1 << 24), ["row 3", "16,777,216 characters"]),
        ("list.jsonl", b'{"path": "' + b"a" * (1 << 24), ["row 1", "16,777,216 characters"]),
        ("list.jsonl", b"nothing\nof\nthis\n", ["row 1", "names a picture"]),
        ("list.parquet", b"PAR1 it is not", ["Parquet"]),
    ],
)
def test_a_list_that_is_none_says_what_to_do(album, name, content, says):
    path = album.folder / name
    path.write_bytes(content)
    with pytest.raises(InvalidList) as caught:
        album.build(path)
    for word in (str(path), *says):
        assert word in caught.value.en
    assert any("\u4e00" <= char <= "\u9fff" for char in caught.value.zh)
    assert not album.layout.current.exists()


def test_a_list_that_breaks_later_leaves_the_rest_of_the_library_alone(album):
    album.draw("a.png", "b.png")
    table = album.write_list("path\npictures/a.png\n")
    album.build(table)
    album.build(album.pictures)
    album.write_list("nonsense\nx\n")
    album.draw("c.png")
    report = album.update()
    assert [type(warning) for warning in report.warnings] == [InvalidList]
    assert report.encoded == 1
    assert sorted(album.by_path()) == ["a.png", "b.png", "c.png", "pictures/a.png"]


def test_a_list_that_is_replaced_again_and_again_is_followed(album, wait_until, heavy):
    album.draw("a.png", "b.png", "c.png")
    table = album.write_list("path\npictures/a.png\n")
    album.build(table)
    stop, reports = Event(), []
    thread = Thread(target=watch, args=(album.settings(),), kwargs={"on_report": reports.append, "stop": stop})
    thread.start()
    try:
        wait_until(lambda: reports, "the first update")
        for names in (["a", "b"], ["a", "b", "c"], ["c"]):
            album.write_list("\n".join(["path", *(f"pictures/{name}.png" for name in names)]), "new.csv").replace(table)
            wait_until(lambda names=names: len(album.by_path()) == len(names), f"a list of {names}")
    finally:
        stop.set()
        thread.join()


def test_the_columns_can_be_named_and_are_remembered(album):
    album.draw("a.png", "b.png")
    table = album.write_list("filename,where,what,kinds\nx.png,pictures/a.png,a cat,pet\n")
    columns = {"path": "where", "caption": "What", "tags": "kinds"}
    album.build(table, columns=columns)
    assert (album.by_path()["pictures/a.png"].caption, album.by_path()["pictures/a.png"].tags) == ("a cat", "pet")
    album.write_list("filename,where,what,kinds\nx.png,pictures/b.png,a dog,\n")
    album.update()
    assert {path: row.caption for path, row in album.by_path().items()} == {"pictures/b.png": "a dog"}
    with pytest.raises(InvalidList, match="no column 'nowhere'"):
        album.build(table, columns={"path": "nowhere"})


def test_the_same_file_in_a_folder_and_in_a_list_has_one_vector(album):
    album.draw("a.png", "b.png")
    table = album.write_list("path,caption\npictures/a.png,a cat\n")
    report = album.build(album.pictures, table)
    assert (report.seen, report.encoded) == (3, 2)
    assert sorted(album.by_path()) == ["a.png", "b.png", "pictures/a.png"]
    assert album.by_path()["a.png"].content_id == album.by_path()["pictures/a.png"].content_id


def test_lists_from_the_command_line_with_real_workers(album, processes):
    names = [f"{n}.png" for n in range(70)]
    album.draw(*names)
    table = album.write_list("\n".join(["file,words", *(f"pictures/{name},number {name}" for name in names)]))
    done = album.command(
        "build", table, "--caption-column", "words", "--data", album.data, "--encoder", "hash", "--workers", 2
    )
    assert done.returncode == 0, done.stderr
    assert "70 encoded" in done.stdout
    assert album.by_path()["pictures/7.png"].caption == "number 7.png"
    assert album.ask("stats")["roots"] == [str(table)]


@pytest.mark.parametrize("name", ["pictures.tar.gz", "pictures.zip", "a.png", "notes.txt"])
def test_what_is_no_source_is_refused_with_the_way_out(album, name):
    path = album.folder / name
    path.write_bytes(b"x")
    with pytest.raises(InvalidRoot, match=r"unpack it" if name.startswith("p") else "give the folder"):
        album.build(path)


@pytest.mark.parametrize("name", ["list.csv", "shard.tar", "pictures.png"])
def test_what_is_no_file_at_all_is_refused(album, name):
    os.mkfifo(album.folder / name)
    with pytest.raises(InvalidRoot, match="regular file"):
        album.build(album.folder / name)
