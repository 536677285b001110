"""How far relevance can be trusted: what its calibration has shown, and a check by a person's own answers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import streamlit as st

from api.client.errors import ApiError
from api.schemas import Hit, IndexInfo
from ui.library import formats
from ui.library.skipped import harmless
from ui.library.thumbnails import thumbnail_address
from ui.library.visit import Visit

MOST_ASKED = 30
_MOST_QUERIES = 3
_DEPTH = 100  # hits of a query that are asked about, where they have a relevance: all of them alike
_FIRST = 10  # and where they have none
_SIDE = 800
_Z = 1.96  # of the normal distribution, for 95 %
_BINS = (0.0, 0.3, 0.7, 1.0)
_COMMAND = "xuntu evaluate questions.csv --calibrate"


@dataclass(frozen=True, slots=True)
class AskedHit:
    """A hit that a person is asked about."""

    query: str
    image_id: int
    path: str
    rank: int  # 1 for the first
    said: float | None  # its relevance


def draw(visit: Visit) -> None:
    """Draw the section."""
    asked: list[AskedHit] = st.session_state.setdefault("asked-hits", [])
    answers: list[bool | None] = st.session_state.setdefault("answered", [])
    if visit.info and len(answers) == len(asked):  # else a person answers, and wants to see the picture
        _draw_told(visit, visit.info)
    st.subheader(visit.text.check_title, anchor=False)
    if not asked:
        _draw_beginning(visit)
    elif len(answers) < len(asked):
        _draw_question(visit, asked, answers)
    else:
        _draw_outcome(visit, asked, answers)


def _draw_told(visit: Visit, info: IndexInfo) -> None:
    """Draw what calibration has seen, on things that it was not fitted on."""
    text, lang = visit.text, visit.lang
    st.subheader(text.told_title, anchor=False)
    if not info.relevance:
        st.write(text.told_none)
        st.caption(text.told_how)
        st.code(_COMMAND, language=None)
        return
    for kind, told in info.relevance.items():
        low, high = (f"{one:.2f}" for one in (told.low, told.high))
        between = text.between.format(low=low, high=high)
        st.markdown(f"**{text.query_kinds[kind]}** · {text.told_auroc} {told.auroc:.2f} ({between})")
        rows = [
            {
                text.told_said: formats.percent(one.said, lang),
                text.told_right: f"{formats.percent(one.right, lang)} ({_between(visit, one.low, one.high)})",
                text.told_hits: one.hits,
            }
            for one in told.reliability
        ]
        if rows:
            st.dataframe(rows, hide_index=True, height="content", key=f"told-{kind}")


def _draw_beginning(visit: Visit) -> None:
    text = visit.text
    st.write(text.check_intro)
    with st.form("check", border=False):
        written = st.text_area(text.check_queries, key="check-queries", height=100)
        begun = st.form_submit_button(text.check_begin, type="primary")
    if not begun:
        return
    queries = list(dict.fromkeys(line.strip() for line in written.splitlines() if line.strip()))[:_MOST_QUERIES]
    try:
        # Of words alone hits have no relevance.
        answers = [visit.client.search(query, k=_DEPTH, match="vector") for query in queries]
    except ApiError as error:
        st.error(error.text(visit.lang))
        return
    pairs = zip(queries, answers, strict=True)
    asked = [one for query, answer in pairs for one in _choose(query, answer.hits, len(queries))]
    if not asked:
        st.write(text.check_nothing)
        return
    st.session_state["asked-hits"], st.session_state["answered"] = asked, []
    st.rerun()


def _choose(query: str, hits: Sequence[Hit], queries: int) -> list[AskedHit]:
    """Return the hits of a query that are asked about: spread over all that have a relevance, else the first."""
    most = MOST_ASKED // queries
    ranked = [AskedHit(query, hit.id, hit.path, rank, hit.relevance) for rank, hit in enumerate(hits, 1)]
    if any(one.said is None for one in ranked):
        return ranked[: min(most, _FIRST)]
    return [ranked[place * len(ranked) // most] for place in range(most)] if len(ranked) > most else ranked


def _draw_question(visit: Visit, asked: Sequence[AskedHit], answers: list[bool | None]) -> None:
    text, one = visit.text, asked[len(answers)]
    st.progress(
        len(answers) / len(asked),
        text=text.check_question.format(n=len(answers) + 1, total=len(asked), query=formats.plain(one.query)),
    )
    with st.container(horizontal=True, key="answers-to-give"):
        said: tuple[tuple[str, str, bool | None], ...] = (
            (text.check_right, "right", True),
            (text.check_wrong, "wrong", False),
            (text.check_skip, "skip", None),
        )
        for label, key, answer in said:
            st.button(label, key=key, on_click=answers.append, args=(answer,))
        st.button(text.check_stop, key="stop", on_click=_stop, args=(len(answers),), type="tertiary")
    with st.container(key="asked"):
        st.image(thumbnail_address(visit, one.image_id, size=_SIDE), width=560, alt=one.path)
    st.caption(formats.plain(one.path))


def _stop(answered: int) -> None:
    st.session_state["asked-hits"] = st.session_state["asked-hits"][:answered]


def _draw_outcome(visit: Visit, asked: Sequence[AskedHit], answers: Sequence[bool | None]) -> None:
    text, lang = visit.text, visit.lang
    answered = [(one, answer) for one, answer in zip(asked, answers, strict=True) if answer is not None]
    right = sum(answer for _, answer in answered)
    if answered:
        low, high = wilson_interval(right, len(answered))
        st.markdown(
            text.check_done.format(
                n=len(answered),
                right=right,
                share=formats.percent(right / len(answered), lang),
                low=formats.percent(low, lang),
                high=formats.percent(high, lang),
            )
        )
        told = [(one.said, answer) for one, answer in answered if one.said is not None]
        if told:
            mean = sum(said for said, _ in told) / len(told)
            st.markdown(text.check_said.format(said=formats.percent(mean, lang)))
            st.dataframe(_compare(visit, told), hide_index=True, height="content")
    st.caption(text.check_note)
    with st.container(horizontal=True):
        st.button(text.check_again, key="again", on_click=_begin_again)
        st.download_button(
            text.download_csv,
            write_answers(asked, answers),
            "answers.csv",
            "text/csv",
            key="answers",
            on_click="ignore",
        )


def _begin_again() -> None:
    st.session_state["asked-hits"], st.session_state["answered"] = [], []


def _compare(visit: Visit, told: Sequence[tuple[float, bool]]) -> list[dict[str, str | int]]:
    """Return what was said of hits and what a person answered, for those of low, middle and high relevance."""
    text, lang, rows = visit.text, visit.lang, list[dict[str, str | int]]()
    for start, end in pairwise(_BINS):
        those = [(said, answer) for said, answer in told if start <= said < end or said == end == 1.0]
        if those:
            right = sum(answer for _, answer in those)
            share = formats.percent(right / len(those), lang)
            rows.append(
                {
                    text.told_said: formats.percent(sum(said for said, _ in those) / len(those), lang),
                    text.told_right: f"{share} ({_between(visit, *wilson_interval(right, len(those)))})",
                    text.told_hits: len(those),
                }
            )
    return rows


def _between(visit: Visit, low: float, high: float) -> str:
    return visit.text.between.format(low=formats.percent(low, visit.lang), high=formats.percent(high, visit.lang))


def wilson_interval(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share that was seen as `right` of `count` (Wilson 1927)."""
    share, spread = right / count, _Z * _Z / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def write_answers(asked: Sequence[AskedHit], answers: Sequence[bool | None]) -> bytes:
    """Return the answers as CSV: right is 1, 0, or empty where the person could not say."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(("query", "id", "path", "rank", "relevance", "right"))
    for one, answer in zip(asked, answers, strict=True):
        said = "" if one.said is None else f"{one.said:.4f}"
        right = "" if answer is None else int(answer)
        table.writerow([harmless(one.query), one.image_id, harmless(one.path), one.rank, said, right])
    return written.getvalue().encode("utf-8-sig")
