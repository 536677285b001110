"""The jobs of the library: the one that runs, as it goes on, and those before it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from api.client.errors import ApiError
from api.schemas import JobInfo, JobProgress
from ui.library import formats
from ui.library.orders import ask_for
from ui.library.visit import ENDED, Visit, has_build

LOOK_S = 1.5  # between two looks at the job that runs
_WITH_COUNTS = ("build", "update", "retry", "rebuild")


def last_seconds(visit: Visit, kind: str) -> float | None:
    """Return how long the last job of a kind took that was done; None where there is none."""
    for job in visit.jobs:
        seconds = formats.seconds_between(job.started_at, job.ended_at)
        if (job.kind, job.state) == (kind, "done") and seconds is not None:
            return seconds
    return None


def draw_running(visit: Visit) -> None:
    """Draw the job that runs, or waits, or else what a command of a person does, until it has ended.

    Where nothing does, and the latest job was stopped, it can be gone on with.
    """
    job = visit.open_job
    if job is None and not visit.is_written:
        _draw_stopped(visit)
        return
    with st.container(border=True, key="running"):
        if job:
            st.fragment(run_every=LOOK_S)(_follow)(visit, job.id)
        else:
            st.fragment(run_every=LOOK_S)(_follow_command)(visit)


def _draw_stopped(visit: Visit) -> None:
    latest = visit.jobs[0] if visit.jobs else None
    if not visit.may_change or latest is None or latest.state != "cancelled" or latest.started_at is None:
        return
    text = visit.text
    with st.container(border=True, key="stopped", horizontal=True, vertical_alignment="center"):
        far = _how_far(visit, latest.progress)
        st.markdown(f"**{text.stopped.format(what=text.work[latest.kind])}**{far}", width="stretch")
        st.button(
            text.go_on,
            key="go-on",
            type="primary",
            on_click=ask_for,
            args=(visit, latest.kind),
            kwargs=latest.options,
        )


def _how_far(visit: Visit, progress: JobProgress | None) -> str:
    if not progress or not progress.total:
        return ""
    return " · " + " / ".join(formats.number(one, visit.lang) for one in (progress.done, progress.total))


def _follow(visit: Visit, job_id: str) -> None:
    """Draw how a job stands. The page is drawn anew when it has ended, and when the first pictures are there."""
    try:
        job = visit.client.job(job_id)
    except ApiError as error:
        st.caption(error.text(visit.lang))
        return
    if job.state in ENDED or (visit.info is None and has_build(visit.client)):
        st.rerun()
    text = visit.text
    said = text.runs if job.state == "running" else text.waits
    st.markdown(f"**{said.format(what=text.work[job.kind])}**")
    st.progress(_share(job.progress), text=formats.plain(job.message))
    foot = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute")
    with foot:
        st.caption(" · ".join(_figures(visit, job.progress)) or " ")
        if job.cancelling:
            st.caption(text.cancelling)
        elif visit.may_change:
            st.button(text.cancel_job, key=f"cancel-{job.id}", on_click=_cancel, args=(visit, job.id))
    st.caption(text.may_leave_first if visit.info is None else text.may_leave)


def _follow_command(visit: Visit) -> None:
    """Draw how far whoever writes to the library has come. The page is drawn anew when there are more pictures."""
    try:
        run = visit.client.progress()
    except ApiError as error:
        st.caption(error.text(visit.lang))
        return
    if not run.is_running or run.pictures != (visit.info.pictures if visit.info else 0):
        st.rerun()
    st.markdown(f"**{visit.text.command_runs}**")
    st.progress(_share(run.progress), text=formats.plain(run.message))
    st.caption(" · ".join(_figures(visit, run.progress)) or " ")


def _share(progress: JobProgress | None) -> float:
    return min(1.0, progress.done / progress.total) if progress and progress.total else 0.0


def _figures(visit: Visit, progress: JobProgress | None) -> list[str]:
    """Return how fast a job is, how long it takes, and what has failed, as far as that is known."""
    if progress is None:
        return []
    text, lang = visit.text, visit.lang
    found = []
    if progress.rate:
        found.append(text.rate.format(rate=formats.rate(progress.rate, lang)))
    if progress.seconds_left is not None:
        found.append(text.left.format(time=formats.duration(progress.seconds_left, lang)))
    if progress.failed:
        found.append(text.failed_so_far.format(n=formats.number(progress.failed, lang)))
    return found


def _cancel(visit: Visit, job_id: str) -> None:
    try:
        visit.client.cancel(job_id)
    except ApiError as error:
        st.toast(formats.plain(error.text(visit.lang)))


def draw(visit: Visit) -> None:
    """Draw the section."""
    text, lang = visit.text, visit.lang
    if visit.roots is None:
        st.info(text.needs_index)
        return
    if not visit.jobs:
        st.write(text.jobs_none)
        return
    rows: list[dict[str, Any]] = []
    for job in visit.jobs:
        seconds = formats.seconds_between(job.started_at, job.ended_at)
        rows.append(
            {
                text.job: text.work[job.kind],
                text.state: text.job_states[job.state],
                text.started: formats.moment(job.started_at or job.created_at, lang, visit.timezone),
                text.took_column: "" if seconds is None else formats.duration(seconds, lang),
                text.outcome: describe_outcome(visit, job),
                text.caller: job.caller,
            }
        )
    config = {text.outcome: st.column_config.TextColumn(text.outcome, width="large")}
    st.dataframe(rows, hide_index=True, column_config=config, height="content")


def describe_outcome(visit: Visit, job: JobInfo) -> str:
    """Return what a job has done, or why it has not, in a line."""
    text, lang, result = visit.text, visit.lang, job.result or {}
    if job.problem:
        return job.problem.detail
    parts = []
    if job.kind in _WITH_COUNTS and result:
        counts = {
            name: formats.number(result.get(name, 0), lang) for name in ("encoded", "reused", "failed", "removed")
        }
        parts.append(text.did.format(**counts))
    elif job.kind == "duplicates" and result:
        counts = {name: formats.number(result.get(name, 0), lang) for name in ("groups", "others")}
        parts.append(text.did_duplicates.format(**counts))
    elif job.kind == "compact" and result:
        freed = formats.size(result.get("freed_bytes", 0), lang)
        parts.append(text.did_compact.format(forgotten=formats.number(result.get("forgotten", 0), lang), bytes=freed))
    elif job.state != "done":
        parts.append(job.message)
    parts += [one.message for one in job.warnings[:3]]
    if len(job.warnings) > 3:
        parts.append(text.warnings_count.format(n=len(job.warnings)))
    return " · ".join(parts)
