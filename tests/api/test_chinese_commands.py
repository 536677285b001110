"""The command line under a Chinese locale: every help page, result, progress line and error is Chinese, throughout."""

import os
import re
import shutil

import pytest
import typer

import api.cli

pytestmark = pytest.mark.usefixtures("heavy")

# What is no sentence: commands and options, names in capitals, file names and paths, values.
_NO_SENTENCE = re.compile(
    r"\S+[=<>]+\S+|xuntu [a-z]+( [a-z]+)?|`[^`]*`|'[^']*'|--[a-z-]+|\S*/\S*|\S+\.\S+|[A-Z][A-Za-z0-9_.]*|CSV|JSON"
)
_ENGLISH = re.compile(r"[A-Za-z]{2,}(?:,? [A-Za-z]{2,}){2,}")


def find_english(text):
    """Return lines in which three words of English follow one another."""
    lines = (_NO_SENTENCE.sub("·", line) for line in text.splitlines() if not line.strip().startswith("Usage:"))
    return [line for line in lines if _ENGLISH.search(line)]


def list_commands(command, path=()):
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from list_commands(child, (*path, name))


@pytest.fixture
def chinese(xuntu):
    """Run a command under a Chinese locale; return what it said, in the order of the streams, and its exit status."""

    def run(*arguments, **environment):
        done = xuntu(*arguments, LANG="zh_CN.UTF-8", COLUMNS="200", **environment)
        said = done.stdout + done.stderr
        assert find_english(said) == []
        return said, done.returncode

    return run


@pytest.mark.parametrize("command", list(list_commands(typer.main.get_command(api.cli.app))), ids=" ".join)
def test_help_is_chinese(chinese, command):
    said, status = chinese(*command, "--help")
    assert status == 0
    assert "显示此帮助并退出。" in said
    assert "…" not in re.sub(r"…_(texts|imgs)", "", said)  # nothing is cut off


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["search", "--k", "0", "x"], "'--k' 的值无效：不能小于 1"),
        (["index", "build", "--workers", "x", "."], "'--workers' 的值无效：应为整数"),
        (["index", "build"], "缺少参数 'PATH...'"),
        (["index", "nothing"], "没有命令 'nothing'"),
        (["index", "update", "--nothing"], "没有选项 --nothing"),
        (["index", "update", "more"], "多余的参数（more）"),
        (["search", "--k"], "选项 '--k' 需要一个值"),
        (["index", "build", "--hidden=3", "."], "选项 '--hidden' 不带值"),
        (["index", "update", "--force"], "设置 --force 不能为 'yes'：需要与 --gate 同用"),
        (["models", "pull", "nothing"], "没有名为 'nothing' 的编码器"),
        (["search", "cat"], "请运行：xuntu index build PATH"),
        (["setup", "--language", "fr"], "设置 --language 不能为 'fr'：应为 zh、en、both 之一"),
        (["setup", "--hardware", "abacus"], "设置 --hardware 不能为 'abacus'：应为 cpu"),
    ],
)
def test_mistakes_are_explained_in_chinese(chinese, command, says):
    said, status = chinese(*command)
    assert says in re.sub(r"\s*│\s*", "", said).replace("\n", "")
    assert status == 2


def test_a_library_is_kept_in_chinese(chinese, photographs, tmp_path):
    data, pictures = tmp_path / "library", tmp_path / "pictures"
    shutil.copytree(photographs, pictures)
    (pictures / "broken.jpg").write_bytes(b"")
    shutil.copy(pictures / "cat.png", pictures / "again.png")
    said = chinese("index", "build", pictures, "--data", data)[0]
    assert "失败 1" in said
    assert "内置编码器较小。`xuntu setup` 可换用更强的编码器" in said
    assert "文件是空的（0 字节）" in chinese("index", "report", "--data", data)[0]
    assert "完全相同" in chinese("index", "duplicates", "--data", data)[0]
    assert "建立时间" in chinese("index", "stats", "--data", data)[0]
    assert "待处理" in chinese("index", "annotate", "--data", data)[0]
    assert "没有更早的索引可以恢复" in chinese("index", "rollback", "--data", data)[0]
    (pictures / "again.png").unlink()
    assert "移除 1" in chinese("index", "update", "--data", data)[0]
    assert "释放" in chinese("index", "compact", "--data", data)[0]
    assert "一切都与写入时相同" in chinese("index", "verify", "--data", data)[0]
    assert "名次" in chinese("search", "--data", data, "一只猫")[0]
    assert "理解为" in chinese("search", "--data", data, "a cat without glasses")[0]
    assert "有误" in chinese("search", "--data", data, "cat", "--where", "colour=lilac")[0]
    questions = tmp_path / "questions.csv"
    questions.write_text("query,picture,language\n一只猫,cat.png,zh\na rocket,rocket.jpg,en\n", encoding="utf-8")
    assert "编码器" in chinese("evaluate", questions, "--data", data)[0]
    os.truncate(next(data.glob("vectors/*/*.npy")), 100)
    said, status = chinese("index", "verify", "--data", data)
    assert (status, "请运行 xuntu index update" in said) == (1, True)


def test_encoders_are_told_of_in_chinese(chinese):
    assert "许可" in chinese("models", "list")[0]
    assert "向量空间" in chinese("models", "show", "fg-clip2-so400m")[0]
    assert "文搜图" in chinese("models", "show", "fg-clip2-so400m")[0]
    assert "比较对象" in chinese("models", "verify", "starter")[0]
    assert "内置" in chinese("models", "pull", "starter")[0]


@pytest.mark.parametrize("language", ["zh", "en", "both"])
@pytest.mark.parametrize("hardware", ["cpu-2", "cpu-8", "gpu-4", "gpu-8", "gpu-16"])
def test_a_stronger_encoder_is_advised_in_chinese(chinese, language, hardware):
    said, status = chinese("setup", "--language", language, "--hardware", hardware, "--dry-run")
    assert status == 0
    assert "其次是" in said
    assert "并非寻图测得" in said


def test_setup_says_in_chinese_that_nothing_was_changed(chinese):
    assert "什么都没有改动" in chinese("setup")[0]
    assert "只比较图片" in chinese("setup", "--encoder", "dinov2-small", "--dry-run")[0]
