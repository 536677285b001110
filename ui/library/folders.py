"""A folder is chosen and added, and other work on the library is asked for."""

from __future__ import annotations

import streamlit as st

from api.client.errors import ApiError
from api.schemas import FolderInfo, FolderList, JobKind
from ui.library import formats
from ui.library.jobs import last_seconds
from ui.library.orders import ask_for
from ui.library.visit import Visit

_WORK: tuple[JobKind, ...] = ("update", "retry", "annotate", "duplicates", "rebuild", "compact")
_ASKED_TWICE = ("rebuild", "compact")


def draw(visit: Visit) -> None:
    """Draw the section."""
    text = visit.text
    if visit.roots is None:
        st.info(text.needs_index)
        return
    if not visit.may_change:
        st.info(text.only_looks)
    st.subheader(text.add_title, anchor=False)
    draw_picker(visit)
    if visit.info:
        st.subheader(text.work_title, anchor=False)
        for kind in _WORK:
            _draw_work(visit, kind)


def draw_picker(visit: Visit) -> None:
    """Let the person choose a folder below what the operator allows, and add it."""
    text, chosen = visit.text, str(st.session_state.get("folder", ""))
    try:
        listed = visit.client.folders(chosen)
    except ApiError as error:
        st.session_state["folder"] = ""
        st.error(error.text(visit.lang))
        return
    if not chosen and not listed.folders:
        st.write(text.add_none)
        return
    if not chosen and len(listed.folders) == 1:  # there is nothing to choose
        chosen = st.session_state["folder"] = listed.folders[0].path
        listed = visit.client.folders(chosen)
    _draw_way(visit, chosen, listed)
    if chosen:
        _draw_order(visit, chosen)


def _draw_way(visit: Visit, chosen: str, listed: FolderList) -> None:
    text = visit.text
    if chosen:
        st.markdown(text.add_inside.format(folder=f"**{formats.plain(chosen)}**"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if listed.folders:
            st.selectbox(
                text.add_choose if chosen else text.add_first,
                listed.folders,
                index=None,
                placeholder=text.add_hint,
                format_func=_name_of,
                key=f"inside {chosen}",
                on_change=_open,
                args=(f"inside {chosen}",),
                width=420,
            )
        if chosen and ("/" in chosen or _has_several(visit)):
            st.button(text.add_up, key="up", on_click=_go_up, args=(chosen,))
    if listed.is_cut:
        st.caption(text.add_cut)


def _name_of(folder: FolderInfo) -> str:
    return folder.name


def _has_several(visit: Visit) -> bool:
    return len(visit.roots.roots if visit.roots else ()) > 1


def _open(key: str) -> None:
    folder = st.session_state.get(key)
    if isinstance(folder, FolderInfo):
        st.session_state["folder"] = folder.path


def _go_up(chosen: str) -> None:
    st.session_state["folder"] = chosen.rpartition("/")[0]


def _draw_order(visit: Visit, chosen: str) -> None:
    """Draw what is taken in of a folder, and the button that has it done."""
    text = visit.text
    known = {one.label for one in visit.roots.roots if one.in_library} if visit.roots else set()
    if chosen.partition("/")[0] in known:
        st.caption(text.add_known.format(folder=formats.plain(chosen.partition("/")[0])))
    with st.expander(text.add_more):
        include = st.text_area(text.add_include, key="include", help=text.add_patterns, height=80)
        exclude = st.text_area(text.add_exclude, key="exclude", help=text.add_patterns, height=80)
        hidden = st.toggle(text.add_hidden, key="hidden")
    options = {"roots": [chosen], "include": _lines(include), "exclude": _lines(exclude), "hidden": hidden}
    st.button(
        text.add_do,
        key="add",
        type="primary",
        disabled=not visit.may_change,
        on_click=ask_for,
        args=(visit, "build"),
        kwargs={name: value for name, value in options.items() if value},
    )


def _lines(written: str | None) -> list[str]:
    return [line.strip() for line in (written or "").splitlines() if line.strip()]


def _draw_work(visit: Visit, kind: JobKind) -> None:
    """Draw one kind of work: what it does, how long it took, and the button that asks for it."""
    text = visit.text
    said, button = st.columns([4, 1], vertical_alignment="center")
    seconds = last_seconds(visit, kind)
    took = text.last_took.format(time=formats.duration(seconds, visit.lang)) if seconds else ""
    more = text.between_sentences + took if took else ""
    said.markdown(f"**{text.work[kind]}**  \n{text.work_help[kind]}{more}")
    with button:
        if kind not in _ASKED_TWICE:
            st.button(
                text.work[kind],
                key=kind,
                disabled=not visit.may_change,
                on_click=ask_for,
                args=(visit, kind),
                width="stretch",
            )
        elif st.button(text.work[kind], key=kind, disabled=not visit.may_change, width="stretch"):
            st.dialog(text.work[kind])(_make_sure)(visit, kind, took)


def _make_sure(visit: Visit, kind: JobKind, took: str) -> None:
    text = visit.text
    st.write(text.work_again[kind])
    if took:
        st.caption(took)
    with st.container(horizontal=True):
        if st.button(text.sure, key="sure", type="primary", on_click=ask_for, args=(visit, kind)):
            st.rerun()
        if st.button(text.cancel, key="unsure"):
            st.rerun()
