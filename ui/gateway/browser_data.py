"""What the page's application in the browser is told when it is mounted; nothing of it changes while the page runs."""

from typing import Any, Final

import streamlit as st

from api.schemas import OPTIONS
from ui.gateway.assets import assets_url
from ui.strings import LANGS

# The options of a search that stand in an address of the page.
_OPTIONS: Final = [
    {
        "name": option.name,
        "parameter": option.address.name,
        "changed": option.address.changed,
        "per_cent": option.address.per_cent,
        "default": list(option.default) if option.is_list else option.default,
        "choices": list(option.choices),
        "list": option.is_list,
        "high": option.high,
    }
    for option in OPTIONS
    if option.address
]

_COLOURS: Final = ("primaryColor", "backgroundColor", "secondaryBackgroundColor", "textColor")


def browser_data(page: str, base: str) -> dict[str, Any]:
    """Return what the application is told of a page, "search" or "library", as JSON takes it; `base`: "/" or "/x/"."""
    return {
        "page": page,
        "base": base,
        "assets": base + assets_url(),
        "langs": list(LANGS),
        "options": _OPTIONS,
        "themes": {name: _read_theme(name) for name in ("light", "dark")},
    }


def _read_theme(name: str) -> dict[str, Any]:
    """Return a theme of Streamlit's own widgets, as Streamlit takes it from a page that it lies in."""
    colours = {option: st.get_option(f"theme.{name}.{option}") for option in _COLOURS}
    font = st.get_option("theme.font")
    return {"base": ("light", "dark").index(name), "bodyFont": font, "headingFont": font, **colours}
