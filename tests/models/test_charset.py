"""Which encoding a text is in, however short it is, and however it was cut."""

import pytest

from models.foundation.text_encoding import detect_text_encoding, open_text

HEAD = "query,picture\n"


@pytest.mark.parametrize(
    "text", ["一只狗", "两只狗在草地上", "中国", "小狗", "车", "联通和移动", "穿着连衣裙的小女孩。"]
)
@pytest.mark.parametrize(
    ("written", "charset"),
    [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_a_few_characters_are_enough(tmp_path, text, written, charset):
    path = tmp_path / "text.csv"
    path.write_bytes(f"{HEAD}{text},a.png\n".encode(written))
    assert detect_text_encoding(path) == charset
    with open_text(path, charset) as file:
        assert file.read() == f"{HEAD}{text},a.png\n"


@pytest.mark.parametrize("text", ["草地上的狗", "рыжая кошка на окне", "un café à côté de l’église, près du théâtre"])
def test_a_text_that_was_cut_inside_a_character_is_still_utf_8(tmp_path, text):
    path = tmp_path / "text.csv"
    path.write_bytes(HEAD.encode() + text.encode() + "狗".encode()[:2] + b",a.png\n")
    assert detect_text_encoding(path) == "utf-8-sig"
    with open_text(path, "utf-8-sig") as file:
        assert text in file.read()


def test_a_long_text_is_read_in_pieces(tmp_path):
    path = tmp_path / "text.txt"
    for written, charset in (("utf-8", "utf-8-sig"), ("gb18030", "gb18030")):
        path.write_bytes(("a" * (1 << 20) + "草地上的狗" * 1000).encode(written))
        assert detect_text_encoding(path) == charset


@pytest.mark.parametrize("data", ["一只狗".encode("utf-16-le"), b"caf\xe9 \xff\xff", b"\0\0\0\x18ftypmp42"])
def test_what_is_no_text_has_none(tmp_path, data):
    (tmp_path / "text.csv").write_bytes(data)
    assert detect_text_encoding(tmp_path / "text.csv") is None
