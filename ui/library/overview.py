"""What the library holds, where it comes from, what answers, and how much room there is."""

from __future__ import annotations

from typing import Any

import streamlit as st

from api.client.errors import ApiError
from api.schemas import EncoderInfo, IndexInfo, JobInfo, RootInfo, StorageInfo
from ui.library import folders, formats
from ui.library.visit import Visit, has_build

BUILD_COMMAND = "xuntu index build PATH"
_LOOK_S = 3.0


def draw(visit: Visit) -> None:
    """Draw the section."""
    if visit.info is None:
        _draw_empty(visit)
        return
    storage = _find_storage(visit)
    _draw_figures(visit, visit.info, storage)
    _draw_roots(visit)
    _draw_encoders(visit, visit.info)
    if storage:
        _draw_room(visit, storage)
    if visit.roots is None:
        st.info(visit.text.needs_index)


def _draw_empty(visit: Visit) -> None:
    """Say what to do about a library of no pictures; while its first build runs, that goes before it."""
    text = visit.text
    if not visit.open_job and not visit.is_written:
        st.subheader(text.empty_title, anchor=False)
        if visit.may_change and visit.roots and visit.roots.roots:
            st.write(text.empty_body)
            folders.draw_picker(visit)
        else:
            st.write(text.empty_command)
            st.code(BUILD_COMMAND, language=None)
        st.fragment(run_every=_LOOK_S)(_wait_for_build)(visit)


def _wait_for_build(visit: Visit) -> None:
    """Draw the page anew when a command of a person begins to make a build, or there is one."""
    try:
        is_written = visit.client.progress().is_running
    except ApiError as error:
        st.caption(error.text(visit.lang))
        return
    if is_written or has_build(visit.client):
        st.rerun()


def _find_storage(visit: Visit) -> StorageInfo | None:
    if visit.roots is None:
        return None
    try:
        return visit.client.storage()
    except ApiError as error:
        st.warning(error.text(visit.lang))
        return None


def _draw_figures(visit: Visit, info: IndexInfo, storage: StorageInfo | None) -> None:
    text, lang = visit.text, visit.lang
    figures = {
        text.pictures: formats.number(info.pictures, lang),
        text.videos: formats.number(info.videos, lang),
        **({text.originals: formats.size(storage.originals, lang)} if storage else {}),
        text.not_indexed: formats.number(info.failed, lang),
    }
    with st.container(horizontal=True):
        for label, value in figures.items():
            st.metric(label, value, border=True)
    said = text.last_build.format(
        ago=formats.ago(info.created_at, lang), when=formats.moment(info.created_at, lang, visit.timezone)
    )
    seconds = next((took for job in visit.jobs if (took := _seconds_of(job, info.build)) is not None), None)
    if seconds is not None:
        said += text.between_sentences + text.took.format(time=formats.duration(seconds, lang))
    st.caption(said)
    listed = ", ".join(f"{name} {formats.number(count, lang)}" for name, count in info.formats.items())
    if listed:
        st.caption(formats.plain(text.formats.format(list=listed)))


def _seconds_of(job: JobInfo, build: str) -> float | None:
    """Return the seconds of the job that made a build, None for another."""
    if (job.result or {}).get("build") != build or job.kind == "duplicates":
        return None
    return formats.seconds_between(job.started_at, job.ended_at)


def _draw_roots(visit: Visit) -> None:
    if not visit.roots or not visit.roots.roots:
        return
    text = visit.text
    st.subheader(text.roots, anchor=False)
    rows = [
        {
            text.root: one.label,
            text.root_kind: text.root_kinds.get(one.kind or "", one.kind or ""),
            text.state: _state_of(visit, one),
            text.pictures: one.pictures,
            text.not_indexed: one.failed,
        }
        for one in visit.roots.roots
    ]
    _table(rows, numbers=(text.pictures, text.not_indexed))


def _state_of(visit: Visit, root: RootInfo) -> str:
    states = visit.text.states_of_roots
    if not root.is_reachable:
        return states["gone"]
    if root.takes_uploads:
        return states["uploads"]
    return states["fine"] if root.in_library else states["outside"]


def _draw_encoders(visit: Visit, info: IndexInfo) -> None:
    text = visit.text
    st.subheader(text.encoders, anchor=False)
    rows = [
        {
            text.encoder: one.name,
            text.dimensions: one.dim,
            text.languages: ", ".join(text.language_names.get(name, name) for name in one.languages) or text.none_text,
            text.pictures: one.pictures,
            text.answers: ", ".join(text.query_kinds[kind] for kind in one.answers) or text.none_text,
            text.state: _completeness(visit, one, info.pictures),
        }
        for one in info.encoders
    ]
    _table(rows, numbers=(text.dimensions, text.pictures))


def _completeness(visit: Visit, encoder: EncoderInfo, pictures: int) -> str:
    missing = pictures - encoder.pictures
    if missing <= 0:
        return visit.text.states_of_roots["fine"]
    return visit.text.partly.format(n=formats.number(missing, visit.lang))


def _draw_room(visit: Visit, storage: StorageInfo) -> None:
    text, lang = visit.text, visit.lang
    st.subheader(text.room, anchor=False)
    own = storage.catalog + storage.vectors + storage.indexes
    with st.container(horizontal=True):
        st.metric(text.room_index, formats.size(own, lang), border=True)
        st.metric(text.room_free, formats.size(storage.free, lang), border=True)
    sizes = {name: formats.size(getattr(storage, name), lang) for name in ("catalog", "vectors", "indexes")}
    st.caption(text.room_note.format(**sizes))


def _table(rows: list[dict[str, Any]], *, numbers: tuple[str, ...]) -> None:
    """Draw rows whose `numbers` are written as the person writes them."""
    config = {name: st.column_config.NumberColumn(name, format="localized") for name in numbers}
    st.dataframe(rows, hide_index=True, column_config=config, height="content")
