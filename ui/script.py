"""One run of the page: which of its two pages is shown. Streamlit calls this for a visit, and when pages are turned."""

from pathlib import Path

import streamlit as st

from ui.mount import mount_page, read_turn
from ui.strings import NAMES, choose_lang

SEAL = Path(__file__).parent / "web" / "seal.svg"


def _remember_turn() -> None:
    st.session_state["turn"] = read_turn()


def _search_page() -> None:
    mount_page("search", on_page=_remember_turn)


def _library_page() -> None:
    from ui.library.page import library_page  # not while somebody waits for pictures

    mount_page("library", on_page=_remember_turn)
    library_page()


def main() -> None:
    """Draw the page that the path in the browser names."""
    lang = choose_lang(st.query_params.get("lang", ""), st.context.locale)
    st.set_page_config(page_title=NAMES[lang], page_icon=str(SEAL), layout="wide")
    pages = {
        "search": st.Page(_search_page, url_path="search", default=True),
        "library": st.Page(_library_page, url_path="library"),
    }
    shown = st.navigation(list(pages.values()), position="hidden")
    turn, told = st.session_state.pop("turn", ("", {}))
    if turn in pages:
        st.switch_page(pages[turn], query_params=told or None)
    shown.run()


main()
