"""What a person decides about duplicates: which ones are shown, which one stays, and what the others are beside it."""

from api.schemas import DuplicatePicture
from ui.library.duplicate_choices import ALL, Decisions, choose_groups, count_spare, find_reason, keep
from ui.library.duplicate_lists import write_paths


def picture(
    number: int, why: str, *, root: str = "album", width: int = 100, size: int = 10, **apart
) -> DuplicatePicture:
    facts = {"width": width, "height": 100, "bytes": size, **apart}
    return DuplicatePicture(why=why, id=number, root=root, path=f"{number}.png", **facts)


GROUP = [
    picture(1, "kept"),
    picture(2, "copy"),
    picture(3, "near", bits=4, cosine=0.97),
    picture(4, "near", bits=9, cosine=0.91),
]


class Board:
    """The board of a service, as far as decisions ask for it."""

    def __init__(self):
        self.ids = set()

    def add_to_board(self, board, ids):
        assert board == "kept"
        self.ids |= set(ids)

    def remove_from_board(self, board, ids):
        assert board == "kept"
        self.ids -= set(ids)


def told(group):
    return [(one.id, one.why, one.bits) for one in group]


def test_a_copy_that_stays_is_as_far_from_the_others_as_the_first_was():
    assert told(keep(GROUP, 2)) == [(2, "kept", None), (1, "copy", None), (3, "near", 4), (4, "near", 9)]


def test_what_is_near_to_one_that_was_near_nobody_has_measured():
    assert told(keep(GROUP, 3)) == [(3, "kept", None), (1, "near", 4), (2, "near", 4), (4, "near", None)]
    assert keep(GROUP, 1) == GROUP
    assert keep(GROUP, 99) == GROUP


def test_what_was_decided_is_in_the_lists_and_can_be_taken_back():
    decisions, board = Decisions([GROUP]), Board()
    decisions.decide(board, GROUP, 3)
    assert write_paths([decisions.arrange(GROUP)], "album", "all", "\n").decode().split() == ["1.png", "2.png", "4.png"]
    assert write_paths([decisions.arrange(GROUP)], "album", "copy", "\n") == b""
    decisions.decide(board, GROUP, ALL)
    assert board.ids == {1, 2, 3, 4}
    assert count_spare([decisions.arrange(GROUP)]) == (0, 0)
    decisions.decide(board, GROUP, 1)
    assert decisions.kept == board.ids == set()
    assert count_spare([decisions.arrange(GROUP)]) == (3, 30)


def test_a_group_that_has_grown_is_asked_about_anew_but_what_was_kept_stays():
    decisions = Decisions([GROUP], {2, 4})
    grown = [picture(9, "kept"), *(picture(one.id, "near", bits=3, cosine=0.9) for one in GROUP)]
    stay = [one.id for one in decisions.arrange(grown) if one.why == "kept"]
    assert stay == [2, 4]


def test_groups_are_chosen_by_kind_and_by_source():
    copies = [picture(5, "kept"), picture(6, "copy", root="scans")]
    groups = [GROUP, copies]
    assert choose_groups(groups, "all", "") == groups
    assert choose_groups(groups, "near", "") == [GROUP]
    assert choose_groups(groups, "copy", "scans") == [copies]


def test_a_reason_to_keep_one_is_what_it_is_before_the_others_by():
    assert find_reason([picture(1, "kept", width=200), picture(2, "near")]) == "pixels"
    assert (
        find_reason([picture(1, "kept", size=20), picture(2, "near"), picture(3, "near", width=50, size=90)]) == "bytes"
    )
    assert find_reason([picture(1, "kept"), picture(2, "copy")]) == "date"
