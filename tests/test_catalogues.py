"""The catalogues of messages hold all that is said, with the same facts; tools/messages.py finds what is wrong."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Chinese that a person or a file may say: words that are understood, names of columns and colours, queries that are
# asked of an encoder, sets of characters. What the product says is not among them.
UNDERSTOOD = {
    "api/demo.py",
    "api/demo_library.py",
    "api/evaluation/data/class_folders.py",
    "api/evaluation/data/questions.py",
    "api/http/service.py",
    "api/sheet.py",
    "api/search/negation/chinese.py",
    "api/search/negation/chinese_words.py",
    "api/search/negation/parser.py",
    "api/search/reading/dates.py",
    "api/search/reading/days.py",
    "api/search/reading/places.py",
    "api/search/reading/reader.py",
    "api/search/reading/words.py",
    "api/search/terms.py",
    "indexer/annotators/colours.py",
    "indexer/annotators/prompts.py",
    "indexer/library/annotations/fields.py",
    "indexer/library/catalog/filter_parser.py",
    "indexer/library/catalog/migrations.py",
    "indexer/library/catalog/words/queries.py",
    "indexer/library/catalog/words/tokens.py",
    "indexer/sources/lists.py",
    "indexer/sources/sidecars.py",
    "models/foundation/moments.py",
    "models/language/templates.py",
    "models/language/word_list.py",
    "models/language/subword_tokenizers.py",
    "models/language/tokenizer.py",
    "models/training/finetune/pairs.py",
    "models/training/starter/task.py",
    "models/training/starter/texts.py",
    "models/training/starter/training.py",
}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("messages_tool", ROOT / "tools" / "messages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def room(tmp_path, tool):
    """A room with one file, and what is wrong with it once it holds that code and these catalogue entries."""

    def problems(code, chinese):
        (tmp_path / "room").mkdir(exist_ok=True)
        (tmp_path / "room" / "one.py").write_text(code, encoding="utf-8")
        catalogue = tool.Chinese(locale="zh", header_comment=tool.HEADER.format(room="room"), fuzzy=False)
        for text, translated in chinese.items():
            catalogue.add(text, translated, locations=[("room/one.py", None)])
        tool.po_file("room", tmp_path).parent.mkdir(parents=True, exist_ok=True)
        tool.write("room", catalogue, tmp_path)
        return tool.find_problems(("room",), tmp_path)

    return problems


def test_all_that_is_said_is_in_the_catalogues(tool, heavy):
    assert tool.find_problems() == []


def test_a_catalogue_that_says_the_same_is_fine(room):
    code = "message('{count} of {all}', count=1, all=2); mark('{it} is missing'); message('x', **facts); other('y')"
    assert room(code, {"{count} of {all}": "{all} 之 {count}", "{it} is missing": "{it} 缺失", "x": "某"}) == []


@pytest.mark.parametrize(
    ("code", "chinese", "problem"),
    [
        ("message('a {b}', b=1)", {}, "room/one.py: 'a {b}' has no Chinese"),
        ("message('a {b}', b=1)", {"a {b}": ""}, "room/one.py: 'a {b}' has no Chinese"),
        ("message('a {b}', b=1)", {"a {b}": "甲 {c}"}, "room/one.py: 'a {b}' has other facts in Chinese: '甲 {c}'"),
        ("message('a {b}', c=1)", {"a {b}": "甲 {b}"}, "room/one.py: 'a {b}' is given ['c']"),
        ("message('a {b', b=1)", {"a {b": "甲"}, "room/one.py: 'a {b' or its Chinese is no template"),
        ("mark('a')", {"a": "甲", "b": "乙"}, "room: nothing says 'b' any more"),
        ("message(f'a {b}')", {}, "room/one.py, line 1: the text has to be one literal"),
        ("message(text)", {}, "room/one.py, line 1: the text has to be one literal"),
        ("mark()", {}, "room/one.py, line 1: the text has to be one literal"),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_said(room, code, chinese, problem):
    assert any(found.startswith(problem) for found in room(code, chinese))


def test_a_compiled_catalogue_that_says_something_else_is_found(room, tool, tmp_path):
    assert room("mark('a')", {"a": "甲"}) == []
    compiled = tool.po_file("room", tmp_path).with_suffix(".mo")
    compiled.write_bytes(compiled.read_bytes().replace("甲".encode(), "乙".encode()))
    assert tool.find_problems(("room",), tmp_path) == ["room: not up to date; run python tools/messages.py"]


def test_the_chinese_that_is_there_is_kept_when_a_catalogue_is_brought_up_to_date(room, tool, tmp_path):
    room("mark('a')", {"a": "甲", "gone": "无"})
    (tmp_path / "room" / "one.py").write_text("mark('new'); mark('a')", encoding="utf-8")
    tool.write("room", tool.make_catalogue("room", tmp_path), tmp_path)
    assert tool.read("room", tmp_path) == {"new": "", "a": "甲"}


def test_a_message_that_moves_to_another_room_takes_its_chinese_along(room, tool, tmp_path):
    room("mark('a'); mark('b')", {"a": "甲", "b": ""})
    made = tool.make_catalogue("room", tmp_path, elsewhere={"a": "他", "b": "乙"})
    tool.write("room", made, tmp_path)
    assert tool.read("room", tmp_path) == {"a": "甲", "b": "乙"}


def test_no_chinese_stands_in_the_code_of_what_is_said(heavy):
    found = {
        str(path.relative_to(ROOT)): sorted(chinese)
        for room in ("models", "indexer", "api", "xuntu")
        for path in sorted((ROOT / room).rglob("*.py"))
        if (chinese := set(_chinese_in(path)))
    }
    assert {name: found[name] for name in found.keys() - UNDERSTOOD} == {}
    assert not UNDERSTOOD - found.keys()


def _chinese_in(path):
    """Yield the texts in a file that hold Chinese but are part of no docstring and no help of a command."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            said |= {id(keyword.value) for keyword in node.keywords if keyword.arg in ("help", "description", "title")}
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield from [node.value] * any("\u3400" <= char <= "\u9fff" for char in node.value)
