"""Groups of duplicates side by side, the one to keep first, and lists of the others for a person's own script.

Nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from api.client.errors import ApiError
from api.schemas import DuplicateList, DuplicatePicture
from ui.library import formats
from ui.library.duplicate_lists import list_groups, write_csv, write_paths
from ui.library.folders import ask_for
from ui.library.thumbnails import thumbnail_address
from ui.library.visit import Visit

GROUPS = 10  # on a page
_ACROSS = 4  # pictures in a row
_SHOWN = 12  # pictures of a group
_NOT_LOOKED = "no_duplicates_report"
_SIDE = 400


def draw(visit: Visit) -> None:
    """Draw the section."""
    text, lang = visit.text, visit.lang
    if visit.roots is None:
        st.info(text.needs_index)
        return
    cursors: list[str] = st.session_state.setdefault("duplicate-pages", [])
    try:
        found = visit.client.duplicates(k=GROUPS, cursor=cursors[-1] if cursors else None)
    except ApiError as error:
        if cursors:  # these pages are of an earlier report
            cursors.clear()
            st.rerun()
        if error.code != _NOT_LOOKED:
            st.error(error.text(lang))
            return
        st.write(text.doubles_none_yet)
        _draw_find(visit)
        return
    if not found.is_current:
        st.caption(text.doubles_old)
    if not found.total:
        st.success(text.doubles_none)
        _draw_find(visit)
        return
    st.write(text.doubles_intro.format(groups=formats.number(found.total, lang)))
    _draw_find(visit)
    _draw_export(visit)
    for number, group in enumerate(found.groups):
        _draw_group(visit, group, number)
    _draw_turn(visit, found, cursors)


def _draw_find(visit: Visit) -> None:
    if visit.may_change:
        st.button(visit.text.doubles_find, key="find", on_click=ask_for, args=(visit, "duplicates"))


def _draw_group(visit: Visit, group: Sequence[DuplicatePicture], number: int) -> None:
    shown = group[:_SHOWN]
    with st.container(border=True, key=f"group-{number}"):
        for start in range(0, len(shown), _ACROSS):
            row = shown[start : start + _ACROSS]
            for place, one in zip(st.columns(_ACROSS), row, strict=False):
                with place:
                    _draw_picture(visit, one)
        if len(group) > len(shown):
            st.caption(f"+ {formats.number(len(group) - len(shown), visit.lang)}")


def _draw_picture(visit: Visit, one: DuplicatePicture) -> None:
    text, lang = visit.text, visit.lang
    st.image(thumbnail_address(visit, one.id, size=_SIDE), width="stretch")
    if one.why == "kept":
        st.badge(text.keep, color="green")
    else:
        st.badge(text.copy if one.why == "copy" else text.near, color="gray")
    facts = [text.keep_why.format(width=one.width, height=one.height, size=formats.size(one.bytes, lang))]
    if one.taken_at:
        facts.append(formats.moment(one.taken_at, lang, None))
    if one.bits is not None and one.cosine is not None:
        facts.append(text.bits.format(bits=one.bits, cosine=f"{one.cosine:.3f}"))
    st.caption(formats.plain(f"{one.root}/{one.path}"))
    st.caption(" · ".join(facts))


def _draw_turn(visit: Visit, found: DuplicateList, cursors: list[str]) -> None:
    """Draw where the page is among others, and what leads to them."""
    text, lang = visit.text, visit.lang
    first = GROUPS * len(cursors)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(text.previous, key="previous", disabled=not cursors, on_click=_turn_back, args=(cursors,))
        following = found.next_cursor or ""
        st.button(text.next, key="next", disabled=not following, on_click=cursors.append, args=(following,))
        numbers = (first + 1, first + len(found.groups), found.total)
        first_one, last, total = (formats.number(one, lang) for one in numbers)
        st.caption(text.page_of.format(first=first_one, last=last, total=total))


def _turn_back(cursors: list[str]) -> None:
    if cursors:
        cursors.pop()


def _draw_export(visit: Visit) -> None:
    """Draw the lists that can be taken away: all as CSV, and paths of what need not be kept."""
    text, client = visit.text, visit.client
    with st.expander(text.export):
        which = st.radio(
            text.export_which, list(text.export_kinds), format_func=text.export_kinds.__getitem__, key="which"
        )
        labels = [one.label for one in visit.roots.roots if one.in_library] if visit.roots else []
        root = st.selectbox(text.export_root, labels, key="of-root") or ""
        with st.container(horizontal=True):
            for name, file, made in (
                (text.download_csv, "duplicates.csv", lambda: write_csv(list_groups(client))),
                (text.export_lines, "duplicates.txt", lambda: write_paths(list_groups(client), root, which, "\n")),
                (text.export_nul, "duplicates.nul", lambda: write_paths(list_groups(client), root, which, "\0")),
            ):
                st.download_button(name, made, file, "application/octet-stream", key=file, on_click="ignore")
        st.caption(text.export_note.format(root=formats.plain(root)))
        st.code("mkdir ../away && xargs -0 mv --backup=numbered -t ../away < duplicates.nul", language="sh")
        st.caption(text.export_left_out)
