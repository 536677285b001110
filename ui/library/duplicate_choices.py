"""The duplicates of a library as a person decides about them: which picture of a group stays, or that all of them do.

What was decided is kept by the page's process for as long as it runs, so that reloading loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import streamlit as st

from api.client import Client
from api.schemas import DuplicatePicture

Kind = Literal["all", "copy", "near"]
Reason = Literal["pixels", "bytes", "date", "chosen"]
Group = Sequence[DuplicatePicture]

_PAGE: Final = 1_000
_MOST_REPORTS: Final = 8
ALL: Final = -1  # in place of the id of the one that stays


def list_groups(client: Client) -> Iterator[list[DuplicatePicture]]:
    """Yield all groups of the latest report. Raises ApiError, also where there is a newer one before the last."""
    cursor: str | None = None
    while True:
        page = client.duplicates(k=_PAGE, cursor=cursor)
        yield from (group for group in page.groups if len(group) > 1)  # others have gone since
        cursor = page.next_cursor
        if cursor is None:
            return


@dataclass(slots=True)
class Decisions:
    """All groups of a report. `kept`: what stays of those that somebody decided about, by the id of the first."""

    groups: list[list[DuplicatePicture]]
    kept: dict[int, int] = field(default_factory=dict)

    def arrange(self, group: Group) -> list[DuplicatePicture]:
        """Return a group as it was decided: the one that stays first; all of them as kept where all stay."""
        chosen = self.kept.get(group[0].id)
        if chosen == ALL:
            return [_as(one, "kept") for one in group]
        return keep(group, chosen) if chosen else list(group)

    def decide(self, group: Group, image_id: int) -> None:
        """Let one picture of a group stay, or ALL; its first one is what stays where nobody decides."""
        if image_id == group[0].id:
            self.kept.pop(group[0].id, None)
        else:
            self.kept[group[0].id] = image_id


@st.cache_resource(show_spinner=False, max_entries=_MOST_REPORTS)
def get_kept(library: str, report: str) -> dict[int, int]:  # noqa: ARG001 - what it is kept by
    """Return what was decided about the groups of a report, for as long as this process runs."""
    return {}


@st.cache_resource(show_spinner=False, max_entries=_MOST_REPORTS)
def get_groups(_client: Client, written: tuple[str, ...]) -> list[list[DuplicatePicture]]:  # noqa: ARG001
    """Return all groups of a report as far as they are in a build, which `written` names. Raises ApiError."""
    return list(list_groups(_client))


def choose_groups(groups: Iterable[list[DuplicatePicture]], kind: Kind, root: str) -> list[list[DuplicatePicture]]:
    """Return the groups that have a copy, or a near-duplicate, and a picture below a root; "" for any."""
    return [
        group
        for group in groups
        if (kind == "all" or any(one.why == kind for one in group))
        and (not root or any(one.root == root for one in group))
    ]


def keep(group: Group, image_id: int) -> list[DuplicatePicture]:
    """Return a group with another picture to keep, and what the others are beside that one.

    How far two pictures are apart that were both compared with a third, nobody has measured.
    """
    first, chosen = group[0], next((one for one in group if one.id == image_id), group[0])
    if chosen is first:
        return list(group)
    others = [one for one in group if one is not chosen]
    if chosen.why == "copy":
        return [_as(chosen, "kept"), *(_as(one, "copy") if one is first else one for one in others)]
    apart = {"bits": chosen.bits, "cosine": chosen.cosine}
    same = ("kept", "copy")  # as the first: as far from the chosen one as that
    return [
        _as(chosen, "kept"),
        *(_as(one, "near", **(apart if one.why in same else {})) for one in others),
    ]


def _as(one: DuplicatePicture, why: str, **apart: float | None) -> DuplicatePicture:
    return one.model_copy(update={"why": why, "bits": None, "cosine": None, **apart})


def find_reason(group: Group) -> Reason:
    """Return by what the first picture of a group is before all others: as they are ordered."""
    first, others = group[0], group[1:]
    pixels = first.width * first.height
    if all(one.width * one.height < pixels for one in others):
        return "pixels"
    rivals = [one for one in others if one.width * one.height == pixels]
    return "bytes" if all(one.bytes < first.bytes for one in rivals) else "date"


def count_spare(groups: Iterable[Group]) -> tuple[int, int]:
    """Return how many pictures need not be kept, and their bytes."""
    spare = [one.bytes for group in groups for one in group if one.why != "kept"]
    return len(spare), sum(spare)
