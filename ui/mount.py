"""The page in the browser: an application that a run of the script mounts, and that asks the service by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import streamlit as st

from ui.gateway.browser_data import browser_data
from ui.strings import LANGS

# The component is only a door: what it loads stands at the end of the document and outlives it. Mostly that is there
# before, since the document names it as well (ui/gateway/documents.py).
_LOADER: Final = """
export default function (component) {
  import(new URL(component.data.assets + "main.js", location.origin).href).then(({ mount }) => mount(component));
}
"""
_browser = st.components.v2.component("xuntu_page", html="<div></div>", js=_LOADER)
_KEY: Final = "page"


def page_base() -> str:
    """Return the path below which the page lies: "/", or what it was told to lie below."""
    return "/" + "".join(f"{part}/" for part in st.get_option("server.baseUrlPath").split("/") if part)


def mount_page(page: str, *, on_page: Callable[[], None]) -> None:
    """Show a page in the browser: all of it for "search", only its top for "library".

    `on_page` is called where the person turns to another, which `read_turn` names then.
    """
    spoken = _follow_language if page == "library" else _leave_address
    data = browser_data(page, page_base())
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
