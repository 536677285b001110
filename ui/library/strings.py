"""Every word of the page of the library: `words/zh.json` and `words/en.json`, by the names that stand here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryStrings:
    """The words of one language. Braces are filled in by the code that shows the sentence."""

    window: str
    title: str
    section: str
    sections: Mapping[str, str]
    wrong_key: str
    request_id: str
    away: str
    needs_index: str
    needs_admin: str
    only_looks: str
    none_text: str

    empty_title: str
    empty_body: str
    empty_command: str
    pictures: str
    videos: str
    originals: str
    not_indexed: str
    last_build: str
    took: str
    between_sentences: str
    roots: str
    root: str
    root_kind: str
    root_kinds: Mapping[str, str]
    state: str
    states_of_roots: Mapping[str, str]
    encoders: str
    encoder: str
    dimensions: str
    languages: str
    language_names: Mapping[str, str]
    answers: str
    query_kinds: Mapping[str, str]
    partly: str
    room: str
    room_index: str
    room_free: str
    room_note: str
    formats: str

    add_title: str
    add_none: str
    add_hint: str
    add_inside: str
    add_choose: str
    add_first: str
    add_up: str
    add_cut: str
    add_known: str
    add_more: str
    add_include: str
    add_exclude: str
    add_patterns: str
    add_hidden: str
    add_do: str
    work_title: str
    work: Mapping[str, str]
    work_help: Mapping[str, str]
    work_again: Mapping[str, str]
    last_took: str
    sure: str
    cancel: str
    asked: str

    runs: str
    command_runs: str
    waits: str
    rate: str
    left: str
    failed_so_far: str
    cancel_job: str
    cancelling: str
    may_leave: str
    may_leave_first: str
    stopped: str
    go_on: str
    jobs_none: str
    job: str
    job_states: Mapping[str, str]
    started: str
    took_column: str
    caller: str
    outcome: str
    did: str
    did_duplicates: str
    did_compact: str
    warnings_count: str

    skipped_none: str
    skipped_counts: Mapping[str, str]
    between_parts: str
    full_stop: str
    problem_kinds: Mapping[str, str]
    count: str
    reason: str
    advice: str
    advices: Mapping[str, str]
    file: str
    folder_of: str
    all_reasons: str
    shown_cut: str
    download_csv: str
    retry: str

    doubles_none_yet: str
    doubles_none: str
    doubles_find: str
    doubles_reading: str
    doubles_intro: str
    doubles_sum: str
    doubles_kind: str
    doubles_kinds: Mapping[str, str]
    all_roots: str
    page: str
    keep_this: str
    keep_all: str
    keep_first: str
    keep_reasons: Mapping[str, str]
    between_words: str
    doubles_old: str
    keep: str
    copy: str
    near: str
    keep_why: str
    bits: str
    page_of: str
    previous: str
    next: str
    export: str
    export_which: str
    export_kinds: Mapping[str, str]
    export_root: str
    export_lines: str
    export_nul: str
    export_note: str
    export_left_out: str

    told_title: str
    told_none: str
    told_auroc: str
    told_said: str
    told_right: str
    told_hits: str
    told_how: str
    check_title: str
    check_intro: str
    check_queries: str
    check_begin: str
    check_nothing: str
    check_question: str
    check_right: str
    check_wrong: str
    check_skip: str
    check_stop: str
    check_done: str
    check_said: str
    check_note: str
    check_again: str
    between: str

    settings_intro: str
    setting: str
    value: str
    source: str
    sources: Mapping[str, str]
    is_set: str
    changed_only: str
    description: str


@cache
def words_of(lang: str) -> LibraryStrings:
    """Return the words of a language; English for any that is not Chinese. Raises ValidationError where one lacks."""
    written = Path(__file__).with_name("words") / ("zh.json" if lang == "zh" else "en.json")
    return TypeAdapter(LibraryStrings).validate_json(written.read_bytes())
