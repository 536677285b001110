"""Write what in the documents is made from the code: docs/generate.py [--check].

Whole files: the reference of commands, of the REST API (and its OpenAPI document) and of the settings. Blocks in pages,
between `<!-- generated: NAME ... -->` and `<!-- end -->`: the table of encoders, and tables of recorded figures.
With --check nothing is written: the files that are stale are named, and the exit status is 1.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # what is described is this checkout, wherever xuntu is installed

import typer
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import api.cli
from api.config import Settings
from api.http.app import create_app
from indexer.config import IndexerSettings
from indexer.library.config import LibrarySettings
from models.config import EncoderSettings
from models.encoders.registry import SUPERSEDED, get_built_in_folder, get_spec, is_plugged_in, list_encoders
from models.foundation.command_help import translate_help
from models.foundation.messages import Word
from models.secret_files import FILE_SUFFIX, is_secret
from models.weights.advice import RULES
from ui.config import API_TOKEN, API_URL, HOSTS, MANAGE, PageSettings

_NOTICE = "<!-- Made by docs/generate.py from the code: change it there, then run `make docs`. -->\n"
_BLOCK = re.compile(r"(?P<begin><!-- generated: (?P<what>[^>]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
_LEFT_OUT = {"--help", "--install-completion", "--show-completion"}
_BUILT_IN_LICENCE = {"en": "evaluation and non-commercial use", "zh": "评估与非商业用途"}
_BUILT_IN = {"en": " (built in)", "zh": "（内置）"}
_BUILT_IN_BEFORE = {"en": " (built in before)", "zh": "（早先的内置编码器）"}
_ENCODER_HEADS = {
    "en": ("name", "space", "dim", "languages", "parameters", "licence of the weights"),
    "zh": ("名称", "空间", "维数", "语言", "参数量", "权重许可"),
}

_PUBLISHED_HEADS = {
    "en": ("name", "published figure", "%", "source"),
    "zh": ("名称", "已发表的数据", "%", "出处"),
}

_ADVICE_HEADS = {
    "en": ("hardware", "queries in", "encoder", "download", "runner-up"),
    "zh": ("硬件", "查询语言", "编码器", "下载", "其次"),
}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or name those that are stale."""
    stale = find_stale(ROOT)
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"stale: {path.relative_to(ROOT)}; run: make docs\n")
        return 1 if stale else 0
    for path, text in stale.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        sys.stderr.write(f"written: {path.relative_to(ROOT)}\n")
    return 0


def find_stale(root: Path) -> dict[Path, str]:
    """Return the files below `root` that are not what they should be, and what they should be."""
    wanted = {root / "docs" / "reference" / name: text for name, text in make_reference().items()}
    for path in sorted((root / "docs").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if path not in wanted and "<!-- generated: " in text:
            wanted[path] = _BLOCK.sub(partial(_fill, page=path, root=root), text)
    return {
        path: text for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }


def make_reference() -> dict[str, str]:
    """Return the files of the reference by name."""
    document = create_app(Settings.model_construct()).openapi()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    document["info"]["version"] = project["version"]  # not what is installed
    return {
        "cli.md": "".join(_describe_commands("en")),
        "cli.zh.md": "".join(_describe_commands("zh")),
        "rest.md": "".join(_describe_routes(document)),
        "openapi.json": json.dumps(document, ensure_ascii=False, indent=1) + "\n",
        "settings.md": "".join(_describe_settings()),
    }


def _fill(found: re.Match[str], page: Path, root: Path) -> str:
    what, *rest = found["what"].split()
    if what == "encoders":
        table = _encoder_table("zh" if page.name.endswith(".zh.md") else "en")
    elif what == "published":
        table = _published_table("zh" if page.name.endswith(".zh.md") else "en")
    elif what == "advice":
        table = _advice_table("zh" if page.name.endswith(".zh.md") else "en")
    elif what == "figures":
        table = _figures_table(root / "docs" / "figures", *rest)
    else:
        message = f"{page}: nothing is called {what!r}"
        raise ValueError(message)
    return f"{found['begin']}{table}{found['end']}"


def _table(head: Sequence[str], rows: Iterator[Sequence[str]] | Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |\n"

    return line(head) + line(["---"] * len(head)) + "".join(line([_in_cell(cell) for cell in row]) for row in rows)


def _in_cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _encoder_table(language: str) -> str:
    specs = [get_spec(name) for name in list_encoders() if not is_plugged_in(name)]
    return _table(
        _ENCODER_HEADS[language],
        [
            (
                f"`{spec.name}`{_built_in(spec.name, language)}",
                spec.space,
                str(spec.dim),
                ", ".join(spec.languages) or "–",
                f"{spec.parameters / 1e6:.0f} M",
                _BUILT_IN_LICENCE[language] if get_built_in_folder(spec.name) else spec.license.partition(" (")[0],
            )
            for spec in specs
        ],
    )


def _built_in(name: str, language: str) -> str:
    """Return what follows the name of an encoder that comes with xuntu."""
    if not get_built_in_folder(name):
        return ""
    return (_BUILT_IN_BEFORE if name in SUPERSEDED else _BUILT_IN)[language]


def _advice_table(language: str) -> str:
    return _table(
        _ADVICE_HEADS[language],
        [
            (
                f"`{rule.tier}`",
                rule.language,
                f"`{rule.encoder}`",
                f"{get_spec(rule.encoder).download_bytes / 1e9:.1f} GB",
                f"`{rule.runner_up}`",
            )
            for rule in RULES
        ],
    )


def _published_table(language: str) -> str:
    specs = [get_spec(name) for name in list_encoders() if not is_plugged_in(name)]
    return _table(
        _PUBLISHED_HEADS[language],
        [
            (
                f"`{spec.name}`",
                f"{figure.dataset}, {Word(figure.measure).text(language)}",
                f"{figure.value:.1f}",
                figure.source,
            )
            for spec in specs
            for figure in spec.figures
        ],
    )


def _figures_table(folder: Path, record: str, measure: str, number: str = "1") -> str:
    measures = json.loads((folder / f"{record}.json").read_text(encoding="utf-8"))["measures"]
    table = measures[measure][int(number) - 1]
    return _table(table["head"], table["rows"])


# Commands


_COMMANDS = {
    "en": {
        "title": "Commands",
        "about": "`python -m indexer` has the commands of `xuntu index`, without the web stack. The exit status is 0, "
        "2 for a mistake in what was asked, 1 for anything else. Help and messages are Chinese where the locale is "
        "(`LANG=zh_CN.UTF-8`), else English.",
        "commands": "Commands: {names}.",
        "comma": ", ",
        "head": ("argument or option", "what it does", "default"),
        "required": "required",
    },
    "zh": {
        "title": "命令",
        "about": "`python -m indexer` 提供 `xuntu index` 的各条命令，不需要网络服务的软件包。退出状态：0 为成功，"
        "2 为用法有误，1 为其他情况。帮助和提示随系统语言显示：`LANG=zh_CN.UTF-8` 时为中文，否则为英文。",
        "commands": "子命令：{names}。",
        "comma": "、",
        "head": ("参数或选项", "作用", "默认"),
        "required": "必需",
    },
}


def _describe_commands(language: str) -> Iterator[str]:
    words: Mapping[str, Any] = _COMMANDS[language]
    yield f"# {words['title']}\n\n{_NOTICE}\n{words['about']}\n"
    command = translate_help(typer.main.get_command(api.cli.app), language)
    yield from _describe_command("xuntu", command, words)


def _describe_command(path: str, command: Any, words: Mapping[str, Any]) -> Iterator[str]:
    params = [param for param in command.params if not param.hidden and not _LEFT_OUT & set(param.opts)]
    arguments = [param for param in params if param.param_type_name == "argument"]
    children = getattr(command, "commands", {})
    usage = [path, "[OPTIONS]", *(["COMMAND"] if children else []), *(_metavar(one) for one in arguments)]
    yield f"\n## {path}\n\n{_paragraphs(command.help)}\n\n```text\n{' '.join(usage)}\n```\n"
    if children:
        names = words["comma"].join(f"[`{name}`](#{path.replace(' ', '-')}-{name})" for name in children)
        yield f"\n{words['commands'].format(names=names)}\n"
    if params:
        rows = [(_names(param), param.help or "", _default(param, words["required"])) for param in params]
        yield "\n" + _table(words["head"], rows)
    for name, child in children.items():
        yield from _describe_command(f"{path} {name}", child, words)


def _paragraphs(text: str | None) -> str:
    parts = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(re.sub(r"\s+", " ", part) for part in parts)


def _metavar(argument: Any) -> str:
    return str(argument.metavar or f"[{argument.name.upper()}]")


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_metavar(param)}`"
    value = "" if param.is_flag else f" {param.metavar or _value_of(param.type_descriptor.annotation)}"
    return ", ".join(f"`{name}{value}`" for name in (*param.opts, *param.secondary_opts))


def _value_of(annotation: Any) -> str:
    name: str = next(iter(get_args(annotation)), annotation).__name__
    return "TEXT" if name == "str" else name.upper()


def _default(param: Any, required: str) -> str:
    if param.required:
        return required
    if isinstance(param.show_default, str):
        return param.show_default
    default = param.default
    if default is None or default is False or default in ((), [], ""):
        return ""
    return f"`{param.opts[0] if default is True else default}`"


# REST API


def _describe_routes(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"# REST API\n\n{_NOTICE}\n"
    yield (
        "The service shows the same at `/docs`, and the OpenAPI document at `/openapi.json`; "
        "[it lies here too](openapi.json). How to use it: [from a program](../how-to/rest-api.md).\n\n"
    )
    routes = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    rows = [
        (f"[`{method.upper()} {path}`](#{_anchor(method, path)})", operation.get("description", ""))
        for method, path, operation in routes
    ]
    yield _table(("route", "what it answers"), rows)
    for method, path, operation in routes:
        yield from _describe_route(method, path, operation)
    yield "\n## Schemas\n"
    for name, schema in document["components"]["schemas"].items():
        if name not in ("HTTPValidationError", "ValidationError"):
            yield from _describe_schema(name, schema)


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^\w\- ]", "", f"{method} {path}".lower()).replace(" ", "-")


def _describe_route(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    deprecated = " Deprecated." if operation.get("deprecated") else ""
    yield f"\n## {method.upper()} {path}\n\n{operation.get('description', '')}{deprecated}\n"
    body = operation.get("requestBody", {}).get("content", {})
    for kind, content in body.items():
        yield f"\nBody, `{kind}`: {_type(content['schema'])}.\n"
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    if answer and answer != {}:
        yield f"\nAnswer: {_type(answer)}.\n"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [
            (
                f"`{one['name']}` ({one['in']})",
                _type(one["schema"]),
                "required" if one["required"] else _json_default(one["schema"]),
                _remark(one, one["schema"]),
            )
            for one in parameters
        ]
        yield "\n" + _table(("parameter", "type", "default", ""), rows)


def _describe_schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n### {name}\n\n{_paragraphs(schema.get('description'))}\n"
    required = schema.get("required", ())
    rows = [
        (f"`{field}`", _type(of), "required" if field in required else _json_default(of), _remark(of, of))
        for field, of in schema.get("properties", {}).items()
    ]
    if rows:
        yield "\n" + _table(("field", "type", "default", ""), rows)


def _remark(holder: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    words = [str(holder.get("description") or schema.get("description") or "").rstrip(".")]
    if holder.get("deprecated") or schema.get("deprecated"):
        words.append("deprecated")
    return "; ".join(filter(None, words))


def _json_default(schema: Mapping[str, Any]) -> str:
    return f"`{json.dumps(schema['default'], ensure_ascii=False)}`" if schema.get("default") is not None else ""


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_type(one) for one in schema[key] if one.get("type") != "null")
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{json.dumps(one)}`" for one in schema.get("enum", [schema.get("const")]))
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):  # true: of anything
        return f"object of {_type(schema['additionalProperties'])}"
    bounds = [f"{sign} {schema[key]}" for key, sign in _BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "maxLength": "length ≤"}


# Settings


def _describe_settings() -> Iterator[str]:
    yield f"# Settings\n\n{_NOTICE}\n"
    yield (
        "A flag beats the environment, the environment beats `.env` in the folder where a command is started, `.env` "
        "beats the default. Numbers that are bytes are written out; yes and no are 1 and 0. A secret may lie in a file "
        "that its variable with `_FILE` names; the end of its line is left out.\n"
    )
    inherited: set[str] = set()
    for title, model, prefix in (
        ("Every command", EncoderSettings, "XUNTU_"),
        ("The library", LibrarySettings, "XUNTU_"),
        ("Indexing", IndexerSettings, "XUNTU_"),
        ("The service", Settings, "XUNTU_"),
    ):
        own = {name: field for name, field in model.model_fields.items() if name not in inherited}
        inherited |= own.keys()
        yield f"\n## {title}\n\n" + _table(_SETTING_HEAD, list(_setting_rows(own, prefix)))
    of_page = PageSettings.model_fields
    page = {API_URL: "api_url", API_TOKEN: "token", HOSTS: "hosts", MANAGE: "manage"}
    rows = [_setting_row(name, of_page[field]) for name, field in page.items()]
    yield "\n## The page\n\n" + _table(_SETTING_HEAD, rows)


_SETTING_HEAD = ("variable", "what it sets", "default")


def _setting_rows(fields: Mapping[str, FieldInfo], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _setting_rows(kind.model_fields, f"{prefix}{name.upper()}__")
            continue
        alias = field.validation_alias
        names = [*map(str, alias.choices)] if isinstance(alias, AliasChoices) else [f"{prefix}{name.upper()}"]
        names = [*names, *(f"{one}{FILE_SUFFIX}" for one in names if is_secret(field))]
        yield _setting_row("`, `".join(names), field)


def _setting_row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    default = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    shown = "" if default is None or default is PydanticUndefined or default == "" else f"`{default}`"
    if isinstance(default, bool):
        shown = f"`{int(default)}`"
    return f"`{name}`", field.description or "", shown


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
