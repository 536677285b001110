"""The page of the library: the job that runs, and one section at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import streamlit as st

from api.client import Client
from api.client.errors import ApiError, ServiceTooSlow, ServiceUnreachable
from ui.config import read_settings
from ui.library import duplicates, folders, jobs, overview, relevance, service_settings, skipped
from ui.library.strings import words_of
from ui.library.visit import Visit, begin_visit, get_library_client
from ui.strings import choose_lang

SECTIONS: Mapping[str, Callable[[Visit], None]] = MappingProxyType(
    {
        "overview": overview.draw,
        "folders": folders.draw,
        "jobs": jobs.draw,
        "skipped": skipped.draw,
        "duplicates": duplicates.draw,
        "relevance": relevance.draw,
        "settings": service_settings.draw,
    }
)
_WITHOUT_BUILD = ("overview", "folders", "jobs", "settings")  # what can be shown before there is any picture
_RETRY_S = 3.0
_HERE = Path(__file__).parent


def library_page() -> None:
    """Draw the page for the address in the browser."""
    lang = choose_lang(st.query_params.get("lang", ""), st.context.locale)
    text = words_of(lang)
    st.set_page_config(page_title=text.window)
    st.html(f"<style>{(_HERE / 'page.css').read_text(encoding='utf-8')}</style>")
    settings = read_settings()
    client = get_library_client(settings, settings.api_url)
    st.header(text.title, anchor=False)
    try:
        visit = begin_visit(client, lang, st.context.timezone, st.query_params.get("library") or None, settings)
    except ApiError as error:
        _say_why_not(client, error, lang)
        return
    jobs.draw_running(visit)
    SECTIONS[_choose_section(visit)](visit)


def _choose_section(visit: Visit) -> str:
    """Return the section that is shown: that of the address, which follows what is chosen."""
    there = [name for name in SECTIONS if visit.info or name in _WITHOUT_BUILD]
    asked = st.query_params.get("section", "")
    chosen = st.segmented_control(
        visit.text.section,
        there,
        default=asked if asked in there else there[0],
        required=True,
        format_func=visit.text.sections.__getitem__,
        key=f"section-{len(there)}",
        label_visibility="collapsed",
    )
    if chosen != asked:
        st.query_params["section"] = chosen
    return chosen


def _say_why_not(client: Client, error: ApiError, lang: str) -> None:
    """Say why nothing is shown; where that may pass, look again until it has."""
    text = words_of(lang)
    if not isinstance(error, ServiceUnreachable | ServiceTooSlow):
        st.error(error.text(lang))
        if error.code in ("unauthorized", "key_expired", "library_forbidden"):
            st.caption(text.wrong_key)
        if error.request_id:
            st.caption(text.request_id.format(id=error.request_id))
        return
    st.warning(text.away)
    st.session_state["lost"] = True
    st.fragment(run_every=_RETRY_S)(_look_again)(client)


def _look_again(client: Client) -> None:
    if st.session_state.pop("lost", False):
        return  # it has just been found that there is nobody
    try:
        client.health()
    except ApiError:
        return
    st.rerun()
