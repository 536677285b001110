"""The three parts of the page that the browser draws, each mounted once with a fixed key.

A part gets its contents as JSON and sends back what the person did. Texts reach the browser as data and are set
with `textContent`, never as HTML, so a file name cannot be markup. Every other action is a link to an address.

| part | sends |
|---|---|
| bar | go (a link), form (fields), upload (a picture) |
| stage | go |
| detail | go, download and play (an image id) |
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

PARTS = Path(__file__).parent / "parts"
ROOT = '<div class="root"></div>'


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _component(name: str, *more: str) -> Any:
    """Return a part of the page, of which `more` names further scripts and styles."""
    names = ("shared", *more, name)
    return st.components.v2.component(
        f"xuntu_{name}",
        html=ROOT,
        css="".join(_read(f"{one}.css") for one in names),
        js="".join(_read(f"{one}.js") for one in names),
    )


_BAR = _component("bar")
_STAGE = _component("stage")
_DETAIL = _component("detail", "crop")


def page_style() -> None:
    """Set the colours of both themes and put Streamlit's own chrome away."""
    st.html(f"<style>{_read('page.css')}</style>")


def skeleton() -> None:
    """Show grey tiles where the pictures will be."""
    tiles = "".join(f'<i style="flex-grow:{grow}"></i>' for grow in (15, 10, 13, 15, 8, 14) * 4)
    st.html(f'<div class="xuntu-skeleton">{tiles}</div>')


def bar(
    data: dict[str, Any],
    *,
    on_go: Callable[[], None],
    on_form: Callable[[], None],
    on_upload: Callable[[], None],
) -> None:
    """Mount the top of the page."""
    _BAR(key="bar", data=data, on_go_change=on_go, on_form_change=on_form, on_upload_change=on_upload)


def stage(data: dict[str, Any], *, on_go: Callable[[], None]) -> None:
    """Mount the middle of the page."""
    _STAGE(key="stage", data=data, on_go_change=on_go)


def detail(
    data: dict[str, Any],
    *,
    on_go: Callable[[], None],
    on_download: Callable[[], None],
    on_play: Callable[[], None],
) -> None:
    """Mount the open picture, or nothing where the data holds none."""
    _DETAIL(key="detail", data=data, on_go_change=on_go, on_download_change=on_download, on_play_change=on_play)


def sent(part: str, name: str) -> Any:
    """Return what a part has just sent under a name; None where it sent nothing."""
    state = st.session_state.get(part)
    return None if state is None else state.get(name)
