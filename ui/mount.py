"""The page in the browser: an application that a run of the script mounts, and that asks the service by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from api.schemas import OPTIONS
from ui.gateway.assets import assets_url
from ui.strings import LANGS

# The component is only a door: what it loads stands at the end of the document and outlives it.
_LOADER: Final = """
export default function (component) {
  import(new URL(component.data.assets + "main.js", location.origin).href).then(({ mount }) => mount(component));
}
"""
_browser = st.components.v2.component("xuntu_page", html="<div></div>", js=_LOADER)
_KEY: Final = "page"
_COLOURS: Final = ("primaryColor", "backgroundColor", "secondaryBackgroundColor", "textColor")

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


def page_base() -> str:
    """Return the path below which the page lies: "/", or what it was told to lie below."""
    return "/" + "".join(f"{part}/" for part in st.get_option("server.baseUrlPath").split("/") if part)


def _read_theme(name: str) -> dict[str, Any]:
    """Return a theme of Streamlit's own widgets, as Streamlit takes it from a page that it lies in."""
    colours = {option: st.get_option(f"theme.{name}.{option}") for option in _COLOURS}
    font = st.get_option("theme.font")
    return {"base": ("light", "dark").index(name), "bodyFont": font, "headingFont": font, **colours}


def mount_page(page: str, *, on_page: Callable[[], None]) -> None:
    """Show a page in the browser: all of it for "search", only its top for "library".

    `on_page` is called where the person turns to another, which `read_turn` names then.
    """
    base = page_base()
    data = {
        "page": page,
        "base": base,
        "assets": base + assets_url(),
        "langs": list(LANGS),
        "options": _OPTIONS,
        "themes": {name: _read_theme(name) for name in ("light", "dark")},
    }
    spoken = _follow_language if page == "library" else _leave_address
    _browser(key=_KEY, data=data, on_turn_change=on_page, on_lang_change=spoken)


def _follow_language() -> None:
    """Write the language into the address, which on this page the script writes: what else stands in it stays."""
    state: Any = st.session_state.get(_KEY)
    lang = state.get("lang") if state is not None else None
    if lang in LANGS:
        st.query_params["lang"] = lang


def _leave_address() -> None:
    """Do nothing: the address of a search is the browser's."""


def read_turn() -> tuple[str, dict[str, str]]:
    """Return the page that was asked for ("" where none was), and what goes into its address."""
    state: Any = st.session_state.get(_KEY)
    asked = state.get("turn") if state is not None else None
    if not isinstance(asked, dict):
        return "", {}
    told = {name: str(asked.get(name, "")) for name in ("lang", "library")}
    return str(asked.get("page", "")), {name: value for name, value in told.items() if value}
