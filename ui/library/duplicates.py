"""Groups of duplicates side by side, the one to keep first, and lists of the others for a person's own script.

Nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import streamlit as st

from api.client.errors import ApiError
from api.schemas import DuplicatePicture
from ui.library import formats
from ui.library.duplicate_choices import (
    ALL,
    Decisions,
    Group,
    Kind,
    choose_groups,
    count_spare,
    find_reason,
    get_groups,
    get_kept,
)
from ui.library.duplicate_lists import write_csv, write_paths
from ui.library.orders import ask_for
from ui.library.thumbnails import picture_address, thumbnail_address
from ui.library.visit import Visit

GROUPS: Final = 20  # on a page
_ACROSS: Final = 4  # pictures in a row
_SHOWN: Final = 12  # pictures of a group
_NOT_LOOKED: Final = "no_duplicates_report"
_SIDE: Final = 400


def draw(visit: Visit) -> None:
    """Draw the section."""
    text, lang = visit.text, visit.lang
    if visit.roots is None:
        st.info(text.needs_index)
        return
    try:
        found = visit.client.duplicates(k=1)
        with st.spinner(text.doubles_reading, show_time=False):
            decisions = _read_groups(visit, f"{found.build} {found.total}") if found.total else None
    except ApiError as error:
        if error.code != _NOT_LOOKED:
            st.error(error.text(lang))
            return
        st.write(text.doubles_none_yet)
        _draw_find(visit, is_main=True)
        return
    if not found.is_current:
        st.caption(text.doubles_old)
    if not decisions or not decisions.groups:
        st.success(text.doubles_none)
        _draw_find(visit)
        return
    with st.container(key="duplicates"):
        _draw_groups(visit, decisions)


def _read_groups(visit: Visit, written: str) -> Decisions:
    """Return the groups of the latest report with what was decided about them. Raises ApiError."""
    jobs = (job.id for job in visit.jobs if (job.kind, job.state) == ("duplicates", "done"))
    library, report = visit.client.library or "", next(jobs, written)
    build = visit.info.build if visit.info else ""
    groups = get_groups(visit.client, (library, report, written, build))
    return Decisions(groups, get_kept(visit.client, library, report))


def _draw_groups(visit: Visit, decisions: Decisions) -> None:
    """Draw what there is to choose, the groups that were chosen, a page of them at a time, and their lists."""
    text, lang = visit.text, visit.lang
    kind, root = _draw_filters(visit, decisions)
    chosen = choose_groups(decisions.groups, kind, root)
    arranged = [decisions.arrange(group) for group in chosen]
    count, size = count_spare(arranged)
    numbers = {"groups": len(chosen), "count": count}
    st.markdown(
        text.doubles_sum.format(
            size=formats.size(size, lang), **{name: formats.number(one, lang) for name, one in numbers.items()}
        )
    )
    st.caption(text.doubles_intro)
    with st.container(horizontal=True):
        _draw_find(visit)
    _draw_export(visit, arranged)
    if not chosen:
        return
    pages = -(-len(chosen) // GROUPS)
    first = GROUPS * (_draw_turn(visit, pages, len(chosen), "above") - 1)
    for group, shown in zip(chosen[first : first + GROUPS], arranged[first : first + GROUPS], strict=True):
        _draw_group(visit, decisions, group, shown)
    if pages > 1:
        _draw_turn(visit, pages, len(chosen), "below")


def _draw_find(visit: Visit, *, is_main: bool = False) -> None:
    if visit.may_change:
        kind: Literal["primary", "secondary"] = "primary" if is_main else "secondary"
        st.button(visit.text.doubles_find, key="find", type=kind, on_click=ask_for, args=(visit, "duplicates"))


def _draw_filters(visit: Visit, decisions: Decisions) -> tuple[Kind, str]:
    """Return which groups the person wants to see."""
    text = visit.text
    kinds = [one for one in get_args(Kind) if one == "all" or choose_groups(decisions.groups, one, "")]
    counts = {one: len(choose_groups(decisions.groups, one, "")) for one in kinds}
    with st.container(horizontal=True, vertical_alignment="center"):
        kind: Kind = st.segmented_control(
            text.doubles_kind,
            kinds,
            default="all",
            required=True,
            format_func=lambda one: f"{text.doubles_kinds[one]} {formats.number(counts[one], visit.lang)}",
            key="kind",
            label_visibility="collapsed",
            on_change=_begin_anew,
        )
        roots = sorted({one.root for group in decisions.groups for one in group})
        root = ""
        if len(roots) > 1:
            root = st.selectbox(
                text.export_root,
                ["", *roots],
                format_func=lambda one: one or text.all_roots,
                key="root",
                label_visibility="collapsed",
                width=240,
                on_change=_begin_anew,
            )
    return kind, root


def _begin_anew() -> None:
    st.session_state["at-page"] = 1


def _draw_turn(visit: Visit, pages: int, total: int, where: str) -> int:
    """Draw where the page is among others, and what leads to them; return its number, from 1."""
    text, lang = visit.text, visit.lang
    at = min(pages, max(1, int(st.session_state.get("at-page", 1))))
    with st.container(horizontal=True, vertical_alignment="center", key=f"turn-{where}"):
        if pages > 1:
            st.button(text.previous, key=f"previous-{where}", disabled=at == 1, on_click=_turn, args=(at - 1,))
            st.selectbox(
                text.page,
                range(1, pages + 1),
                index=at - 1,
                format_func=lambda one: f"{formats.number(one, lang)} / {formats.number(pages, lang)}",
                key=f"page-{where}-{at}",
                label_visibility="collapsed",
                width=130,
                on_change=lambda: _turn(st.session_state[f"page-{where}-{at}"]),
            )
            st.button(text.next, key=f"next-{where}", disabled=at == pages, on_click=_turn, args=(at + 1,))
        numbers = (GROUPS * (at - 1) + 1, min(total, GROUPS * at), total)
        first, last, all_of_them = (formats.number(one, lang) for one in numbers)
        st.caption(text.page_of.format(first=first, last=last, total=all_of_them))
    return at


def _turn(page: int) -> None:
    st.session_state["at-page"] = page


def _draw_group(visit: Visit, decisions: Decisions, group: Group, shown: Sequence[DuplicatePicture]) -> None:
    text, chosen = visit.text, decisions.chosen(group)
    with st.container(border=True, key=f"group-{group[0].id}", gap="xsmall"):
        for start in range(0, min(len(shown), _SHOWN), _ACROSS):
            row = shown[start : min(start + _ACROSS, _SHOWN)]
            for place, one in zip(st.columns(_ACROSS), row, strict=False):
                with place, st.container(gap="xsmall"):
                    _draw_picture(visit, one, _why(visit, one, shown, is_chosen=bool(chosen)))
                    if visit.may_change and one.why != "kept":
                        args = (visit, decisions, group, one.id)
                        st.button(text.keep_this, key=f"keep-{one.id}", on_click=_decide, args=args)
        if len(shown) > _SHOWN:
            st.caption(f"+ {formats.number(len(shown) - _SHOWN, visit.lang)}")
        if visit.may_change:
            said, decided = (text.keep_first, group[0].id) if chosen else (text.keep_all, ALL)
            args = (visit, decisions, group, decided)
            st.button(said, key=f"all-{group[0].id}", type="tertiary", on_click=_decide, args=args)


def _decide(visit: Visit, decisions: Decisions, group: Group, image_id: int) -> None:
    try:
        decisions.decide(visit.client, group, image_id)
    except ApiError as error:
        st.toast(formats.plain(error.text(visit.lang)))


def _why(visit: Visit, one: DuplicatePicture, shown: Group, *, is_chosen: bool) -> str:
    """Return why a picture stays; empty for one that need not."""
    if one.why != "kept":
        return ""
    return visit.text.keep_reasons["chosen" if is_chosen else find_reason(shown)]


def _draw_picture(visit: Visit, one: DuplicatePicture, why: str) -> None:
    text, lang = visit.text, visit.lang
    name, opened = f"{one.root}/{one.path}", picture_address(visit, one.id)
    st.image(thumbnail_address(visit, one.id, size=_SIDE), width="stretch", alt=name, link=opened)
    if one.why == "kept":
        st.badge(text.between_words.join((text.keep, why)), color="green")
    else:
        st.badge(text.copy if one.why == "copy" else text.near, color="gray")
    facts = [text.keep_why.format(width=one.width, height=one.height, size=formats.size(one.bytes, lang))]
    if one.taken_at:
        facts.append(formats.moment(one.taken_at, lang, None))
    if one.bits is not None and one.cosine is not None:
        facts.append(text.bits.format(bits=one.bits, cosine=f"{one.cosine:.3f}"))
    st.caption(formats.plain(name))
    st.caption(" · ".join(facts))


def _draw_export(visit: Visit, groups: Sequence[Group]) -> None:
    """Draw the lists that can be taken away: all as CSV, and paths of what need not be kept."""
    text = visit.text
    with st.expander(text.export):
        which = st.radio(
            text.export_which, list(text.export_kinds), format_func=text.export_kinds.__getitem__, key="which"
        )
        roots = sorted({one.root for group in groups for one in group if one.why != "kept"})
        root = st.selectbox(text.export_root, roots, key="of-root") or ""
        with st.container(horizontal=True):
            for name, file, made in (
                (text.download_csv, "duplicates.csv", lambda: write_csv(groups)),
                (text.export_lines, "duplicates.txt", lambda: write_paths(groups, root, which, "\n")),
                (text.export_nul, "duplicates.nul", lambda: write_paths(groups, root, which, "\0")),
            ):
                st.download_button(name, made, file, "application/octet-stream", key=file, on_click="ignore")
        st.caption(text.export_note.format(root=formats.plain(root)))
        st.code("mkdir ../away && xargs -0 mv --backup=numbered -t ../away < duplicates.nul", language=None)
        st.caption(text.export_left_out)
