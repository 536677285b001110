"""The files that are not in the library, or not all of them, by their reasons, and what to do about them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import streamlit as st

from api.client import Client
from api.client.errors import ApiError
from api.schemas import IndexProblem
from ui.library import formats
from ui.library.orders import ask_for
from ui.library.visit import Visit

_SHOWN = 3_000
_PAGE = 1_000
# Codes of reasons -> what to do about them; of others the files are to be tried again.
_ADVICE = {
    "repair": ("empty_file", "truncated", "corrupt", "base64", "not_found", "linked_away", "not_a_regular_file"),
    "extra": ("needs_formats", "needs_video"),
    "format": (
        "not_an_image",
        "unread",
        "unsupported",
        "is_a_video",
        "not_a_video",
        "no_moving_pictures",
        "video_elsewhere",
    ),
    "limit": ("too_many_pixels", "too_many_bytes", "too_many_pixels_together"),
    "rights": ("permission_denied",),
    "memory": ("out_of_memory", "too_much_memory"),
    "network": (
        "offline",
        "url_unreachable",
        "url_timeout",
        "url_status",
        "url_redirects",
        "url_inside",
        "url_insecure",
        "url_proxy",
        "url_web_page",
        "url_invalid",
    ),
    "list": ("row_unreadable", "row_without_picture", "row_without_caption", "address"),
    "partial": ("breaks_off", "parts_left_out"),
}
_ADVICE_OF = {code: advice for advice, codes in _ADVICE.items() for code in codes}


def draw(visit: Visit) -> None:
    """Draw the section."""
    text, lang = visit.text, visit.lang
    if visit.roots is None:
        st.info(text.needs_index)
        return
    try:
        totals = visit.client.report(k=1).totals
        found = list(islice(list_problems(visit.client), _SHOWN))
    except ApiError as error:
        st.error(error.text(lang))
        return
    if not found:
        st.success(text.skipped_none)
        return
    said = [text.skipped_counts[kind].format(n=formats.number(count, lang)) for kind, count in totals.items() if count]
    st.write(text.between_parts.join(said) + text.full_stop)
    with st.container(horizontal=True):
        if visit.may_change:
            st.button(text.retry, key="retry-all", on_click=ask_for, args=(visit, "retry"))
        # The file is made when it is asked for: it may be long.
        client = visit.client
        st.download_button(
            text.download_csv,
            lambda: write_problems(list_problems(client)),
            "skipped.csv",
            "text/csv",
            key="csv",
            on_click="ignore",
        )
    _draw_reasons(visit, found)
    _draw_files(visit, found)
    if sum(totals.values()) > len(found):
        st.caption(text.shown_cut.format(n=formats.number(len(found), lang)))


def list_problems(client: Client) -> Iterator[IndexProblem]:
    """Yield all files that are not indexed, or not all of them. Raises ApiError."""
    cursor: str | None = None
    while True:
        page = client.report(k=_PAGE, cursor=cursor)
        yield from page.problems
        cursor = page.next_cursor
        if cursor is None:
            return


def write_problems(problems: Iterator[IndexProblem]) -> bytes:
    """Return a table of them as CSV, which Excel reads as UTF-8 by its first bytes."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(("kind", "root", "path", "code", "reason"))
    for one in problems:
        table.writerow([harmless(value) for value in (one.kind, one.root, one.path, one.code, one.reason)])
    return written.getvalue().encode("utf-8-sig")


def harmless(value: str) -> str:
    """Return a cell that no table program takes for a formula (OWASP, CSV injection)."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _draw_reasons(visit: Visit, found: list[IndexProblem]) -> None:
    """Draw how many files there are of each reason, and what to do."""
    text = visit.text
    counts = Counter((one.kind, one.code) for one in found)
    said = {(one.kind, one.code): one.reason for one in reversed(found)}
    rows = [
        {
            text.count: formats.number(count, visit.lang),
            text.state: text.problem_kinds[kind],
            text.reason: formats.plain(said[kind, code]),
            text.advice: formats.plain(text.advices[_ADVICE_OF.get(code, "again")]),
        }
        for (kind, code), count in counts.most_common()
    ]
    st.table(rows, hide_index=True, border="horizontal")  # whose sentences are read to their ends on a phone


def _draw_files(visit: Visit, found: list[IndexProblem]) -> None:
    text = visit.text
    reasons = {one.code: one.reason for one in reversed(found)}
    chosen = st.selectbox(
        text.reason,
        ["", *reasons],
        format_func=lambda code: reasons.get(code, text.all_reasons),
        key="reason",
        label_visibility="collapsed",
    )
    rows = [
        {text.file: one.path, text.folder_of: one.root, text.reason: one.reason}
        for one in found
        if chosen in ("", one.code)
    ]
    config = {text.file: st.column_config.TextColumn(text.file, width="large")}
    st.dataframe(rows, hide_index=True, column_config=config)
