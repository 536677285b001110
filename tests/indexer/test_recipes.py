"""Which structure suits how many vectors, and how hard a search looks."""

import itertools
import json

import numpy as np
import pytest

from indexer.library.index.faiss.construction.recipes import choose_recipe
from indexer.library.index.faiss.search_params import SearchParams, SearchParamsTable
from indexer.library.index.records import IndexOptions

EFFORTS = SearchParamsTable(
    picture_few=SearchParams(10, 40),
    picture_many=SearchParams(20, 400),
    text_few=SearchParams(40, 80),
    text_many=SearchParams(80, 800),
)


@pytest.mark.parametrize(("count", "dim"), [(0, 512), (1, 512), (100_000, 512), (200_000, 256), (50_000, 1024)])
def test_what_is_scanned_fast_stays_flat(count, dim):
    assert choose_recipe(count, dim, IndexOptions()).name == "flat"


@pytest.mark.parametrize(("count", "dim"), [(100_001, 512), (1_000_000, 512), (60_000, 1024), (10_000_000, 768)])
def test_what_is_not_becomes_an_inverted_file(count, dim):
    recipe = choose_recipe(count, dim, IndexOptions())
    assert (recipe.name, recipe.parts) == ("ivf", dim // 2)
    assert np.sqrt(count) < recipe.lists < 4 * np.sqrt(count)
    assert 16 * recipe.lists <= recipe.training_rows <= count


def test_a_recipe_that_is_asked_for_is_taken_unless_there_is_too_little_to_train_it():
    assert choose_recipe(10_000_000, 512, IndexOptions(recipe="flat")).name == "flat"
    assert choose_recipe(2_000, 512, IndexOptions(recipe="ivf")).name == "ivf"
    assert choose_recipe(999, 512, IndexOptions(recipe="ivf")).name == "flat"


def test_training_keeps_to_the_memory_it_is_given():
    recipe = choose_recipe(5_000_000, 512, IndexOptions(memory_bytes=64 * 2**20))
    assert recipe.training_rows * 512 * 4 <= 64 * 2**20 / 4
    assert recipe.lists * 16 <= recipe.training_rows


def test_an_odd_length_is_coded_number_by_number():
    assert choose_recipe(10**6, 101, IndexOptions()).parts == 101


def test_more_hits_take_more_effort_and_texts_take_more_than_pictures():
    for kind in ("picture", "text"):
        steps = [EFFORTS.choose(kind, k) for k in (1, 10, 11, 50, 100, 101, 500, 5_000)]
        for before, after in itertools.pairwise(steps):
            assert before.nprobe <= after.nprobe
            assert before.rerank <= after.rerank
    assert EFFORTS.choose("picture", 10) == SearchParams(10, 40)
    assert EFFORTS.choose("picture", 100) == SearchParams(20, 400)
    assert EFFORTS.choose("text", 1) == SearchParams(40, 80)


def test_a_filter_spreads_the_hits_over_more_lists():
    assert EFFORTS.choose("text", 10, 0.1).nprobe == EFFORTS.choose("text", 100).nprobe
    assert EFFORTS.choose("text", 10, 0.1).rerank == EFFORTS.choose("text", 10).rerank
    assert EFFORTS.choose("text", 10, 0.01).nprobe > EFFORTS.choose("text", 100).nprobe


def test_efforts_survive_json():
    assert SearchParamsTable.from_dict(json.loads(json.dumps(EFFORTS.to_dict()))) == EFFORTS


@pytest.mark.parametrize("value", [0, -1, "8", 1.5, None, 2**60])
def test_efforts_that_mean_nothing_are_refused(value):
    values = EFFORTS.to_dict()
    values["text_few"]["nprobe"] = value
    with pytest.raises(ValueError, match="is no search parameter"):
        SearchParamsTable.from_dict(values)
