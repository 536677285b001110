"""A search is planned, encoded and ranked, in this order, whoever runs its stages; the plan between them stays."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from api.search.encoders import load_encoders
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.query import Clause, Query
from api.search.stages import run_now, run_search
from indexer.config import IndexerSettings
from indexer.library.errors import IndexMismatch
from indexer.library.opened import OpenBuild, open_build
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.runtime import Runtime

CAT = Query(clauses=[Clause(text="一只没有花的猫"), Clause(image_id=3, weight=0.5)], k=9)


class Recorder:
    """Stages that say what they were given, after they have waited `turns` times."""

    def __init__(self, turns: int = 0) -> None:
        self.turns = turns

    @asynccontextmanager
    async def decode(self, query):
        await self._wait()
        yield [query, "decode"]

    async def plan(self, query, decoded):
        await self._wait()
        return [*decoded, query, "plan"]

    async def encode(self, plan):
        await self._wait()
        return [*plan, "encode"]

    async def rank(self, plan, encoded):
        await self._wait()
        return [plan, encoded, "rank"]

    async def _wait(self) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)


@pytest.fixture(scope="module")
def engine(library) -> SearchEngine:
    return SearchEngine.open(library)


def test_the_stages_have_one_order_wherever_they_run():
    plan = [CAT, "decode", CAT, "plan"]
    expected = [plan, [*plan, "encode"], "rank"]
    assert run_now(run_search(Recorder(), CAT)) == expected
    assert asyncio.run(run_search(Recorder(turns=2), CAT)) == expected


def test_a_stage_that_waits_needs_something_to_wait_with():
    with pytest.raises(RuntimeError, match="waits"):
        run_now(run_search(Recorder(turns=1), CAT))


def test_what_a_stage_raises_is_raised_at_once(engine):
    with pytest.raises(InvalidQuery, match="empty"):
        engine.search(Query(clauses=[Clause(text=" ")]))


def test_a_plan_names_its_encoders_and_cannot_be_changed(engine):
    plan = engine.plan(CAT)
    assert [asked.encoder for asked in plan.encoders] == ["starter"]
    assert plan.excluded == (3,)
    for part in (plan, *plan.encoders):
        for field in fields(part):
            assert not isinstance(getattr(part, field.name), (list, dict, set))
            with pytest.raises(FrozenInstanceError):
                setattr(part, field.name, None)


def test_a_plan_can_be_ranked_again(engine):
    plan = engine.plan(CAT)
    encoded = engine.encode(plan)
    assert set(encoded) == {"starter"}
    first, again = engine.rank(plan, encoded), engine.rank(plan, encoded)
    assert first.hits == again.hits == engine.search(CAT).hits
    assert first.notes == again.notes


@pytest.fixture(scope="module")
def pair(photographs, made_once) -> OpenBuild:
    """A build of two encoders."""

    def make(folder: Path) -> None:
        build(IndexerSettings(data=folder, workers=0), [photographs], BuildOptions(encoders=["hash", "starter"]))

    return open_build(made_once("stages-pair", make))


def test_encoders_belong_to_their_index_by_name_in_whatever_order_they_come(pair):
    encoders = load_encoders(pair, Runtime(weights=pair.layout.data / "weights"))
    turned = dict(reversed(encoders.items()))
    assert list(turned) == ["starter", "hash"]
    engines = [SearchEngine(pair, given, routing="zh=starter+hash") for given in (encoders, turned)]
    for engine in engines:
        assert list(engine.spaces) == list(pair.by_encoder) == ["hash", "starter"]
        assert all(space.name == name == space.encoders.spec.name for name, space in engine.spaces.items())
    first, second = (engine.search(CAT) for engine in engines)
    assert first.hits == second.hits
    swapped = dict(zip(encoders, turned.values(), strict=True))
    with pytest.raises(IndexMismatch):
        SearchEngine(pair, swapped)
