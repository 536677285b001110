"""Which pictures a search may find: looked up once, and kept by an index for as long as somebody asks."""

import gc

import numpy as np
import pytest

from indexer.library.filters import Filter, Range
from indexer.library.index.faiss.segments import SegmentedIndex
from indexer.library.index.selection import FilterSelection, IdSelection
from models.foundation.vectors import l2_normalize

WIDE = Filter.of({"width": Range(low=100)})


def test_a_filter_is_looked_up_once_and_not_before_its_ids_are_asked_for():
    asked = []
    selection = FilterSelection(WIDE, lambda where: asked.append(where) or np.array([2, 5, 9]))
    assert (selection.filter, asked) == (WIDE, [])
    assert selection.ids() is selection.ids()
    assert (selection.ids().tolist(), asked) == ([2, 5, 9], [WIDE])
    with pytest.raises(ValueError, match="read-only"):
        selection.ids()[0] = 1


def test_a_filter_that_cannot_be_looked_up_is_tried_again():
    answers = iter([OSError("gone"), np.array([3])])

    def look_up(where):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    selection = FilterSelection(WIDE, look_up)
    with pytest.raises(OSError, match="gone"):
        selection.ids()
    assert selection.ids().tolist() == [3]


def test_a_list_of_ids_is_put_in_order_and_no_filter_says_it():
    given = np.array([7, 2, 7, 1])
    selection = IdSelection(given)
    given[:] = 0
    assert (selection.filter, selection.ids().tolist()) == (None, [1, 2, 7])
    assert IdSelection(given[:0]).ids().tolist() == []


def test_an_index_keeps_what_a_selection_stands_for_as_long_as_it_lives(heavy):
    vectors = l2_normalize(np.random.default_rng(0).standard_normal((20, 4)))
    index = SegmentedIndex(4)
    index.upsert(np.arange(20), vectors)
    first, second = IdSelection(np.arange(0, 20, 2)), IdSelection(np.arange(5))
    for _ in range(3):
        assert [index.count(first), index.count(second), index.count()] == [10, 5, 20]
    assert len(index._chosen) == 2
    del second
    gc.collect()
    assert list(index._chosen) == [first]
    index.remove(np.array([4]))
    assert index.count(first) == 9, "what it stood for before has gone with the change"
