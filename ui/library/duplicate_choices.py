"""The duplicates of a library as a person decides about them: which picture of a group stays, or that all of them do.

What was decided is on a board of the library, which the service keeps: the pictures that stay.
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
_BOARD_PAGE: Final = 500
_MOST_REPORTS: Final = 8
_KEPT: Final = "kept"  # the board
_KEPT_SECONDS: Final = 60  # until is looked anew, as others decide as well
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
    """All groups of a report. `kept`: the ids of what somebody decided to keep, of these groups and others."""

    groups: list[list[DuplicatePicture]]
    kept: set[int] = field(default_factory=set)

    def chosen(self, group: Group) -> list[int]:
        """Return the ids of what was decided to be kept of a group, none where nobody decided."""
        return [one.id for one in group if one.id in self.kept]

    def arrange(self, group: Group) -> list[DuplicatePicture]:
        """Return a group as it was decided: one that stays first, all that stay as kept."""
        chosen = self.chosen(group)
        arranged = keep(group, chosen[0]) if chosen else list(group)
        return [_as(one, "kept") if one.id in chosen else one for one in arranged]

    def decide(self, client: Client, group: Group, image_id: int) -> None:
        """Let one picture of a group stay, or ALL; its first one is what stays where nobody decides.

        Raises ApiError; then what was decided before stands.
        """
        ids = {one.id for one in group}
        stay = ids if image_id == ALL else {image_id} - {group[0].id}
        before = ids & self.kept
        if added := stay - before:
            client.add_to_board(_KEPT, sorted(added))
            self.kept |= added
        if removed := before - stay:
            client.remove_from_board(_KEPT, sorted(removed))
            self.kept -= removed


@st.cache_resource(show_spinner=False, max_entries=_MOST_REPORTS, ttl=_KEPT_SECONDS)
def get_kept(_client: Client, library: str, report: str) -> set[int]:  # noqa: ARG001 - what it is kept by
    """Return the ids of what somebody decided to keep, to be changed with each decision. Raises ApiError."""
    kept: set[int] = set()
    after = ""
    while True:
        page = _client.board(_KEPT, k=_BOARD_PAGE, after=after)
        kept.update(one.id for one in page.pictures if one.id is not None)
        if page.next is None:
            return kept
        after = page.next


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
