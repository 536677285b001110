"""What pydantic says of a value, in both languages."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticKnownError

from models.foundation.validation import _REASONS, validation_reason

FACTS = {
    "error": "odd",
    "expected": "'one' or 'two'",
    "pattern": "^a$",
    "field_type": "Input",
    "class_name": "Example",
} | {
    name: number for number, name in enumerate(("gt", "ge", "lt", "le", "min_length", "max_length", "actual_length"), 2)
}
# pydantic says more than a person needs, or says it without facts.
SHORTER = {"too_short", "too_long", "model_type", "path_type"}


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    whole: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5
    word: Annotated[str, Field(pattern="^a+$", max_length=3)] = "a"
    choice: Literal["one", "two", "three"] = "one"
    flag: bool = False
    place: Path = Path()
    many: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    size: bytes = b""


def first_error(**given: Any) -> Any:
    with pytest.raises(ValidationError) as caught:
        Example(**given)
    return caught.value.errors()[0]


@pytest.mark.parametrize("kind", sorted(_REASONS.keys() - SHORTER))
def test_a_reason_is_known_by_what_pydantic_says(kind):
    names = set(re.findall(r"{(\w+)}", _REASONS[kind]))
    known = PydanticKnownError(kind, {name: FACTS[name] for name in names} or None)
    assert _REASONS[kind].format_map(FACTS) == known.message()


@pytest.mark.parametrize(
    ("given", "chinese"),
    [
        ({"whole": 10}, "不能大于 9"),
        ({"whole": 1.5}, "应为整数"),
        ({"whole": "many"}, "应为整数"),
        ({"share": 0}, "应大于 0"),
        ({"share": float("inf")}, "应为有限的数字"),
        ({"word": "b"}, "格式应为 ^a+$"),
        ({"word": "aaaa"}, "最多 3 个字符"),
        ({"choice": "four"}, "应为其中之一：'one'、'two'、'three'"),
        ({"flag": "perhaps"}, "应为 true 或 false"),
        ({"place": 3}, "不是有效的路径"),
        ({"many": []}, "至少 1 项，现有 0 项"),
        ({"other": 1}, "没有这个参数"),
        ({"size": 3}, "值无效（Input should be a valid bytes）"),
    ],
)
def test_english_is_pydantic_s_and_chinese_says_the_same(given, chinese):
    error = first_error(**given)
    reason = validation_reason(error)
    assert (reason.text("en"), reason.text("zh-CN")) == (error["msg"], chinese)
