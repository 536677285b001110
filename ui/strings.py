"""The languages of the page, and its name in each. What it says stands in `web/strings`, for the browser."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LANGS: Final = ("zh", "en")
LANG_NAMES: Final[Mapping[str, str]] = MappingProxyType({"zh": "中文", "en": "EN"})
NAMES: Final[Mapping[str, str]] = MappingProxyType({"zh": "寻图 xuntu", "en": "xuntu 寻图"})


def choose_lang(asked: str, locale: str | None) -> str:
    """Return the language to show: the one asked for in the URL, else the browser's, else English."""
    if asked in LANGS:
        return asked
    return "zh" if (locale or "").lower().startswith("zh") else "en"
