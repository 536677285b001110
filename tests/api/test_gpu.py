"""A service whose vectors are searched on a GPU, for which a processor stands in; and one whose GPU is not there."""

import asyncio
import logging

import pytest

from api.config import Settings
from api.http.metrics import Metrics
from api.http.service import Service
from api.search.query import Query, parse_terms
from indexer.library.index.faiss.gpu import ProcessorInPlace, open_gpu
from indexer.library.index.faiss.gpu_vectors import GpuVectors

CATS = Query(clauses=parse_terms(["一只猫"]), k=5)


def pictures_on_gpu(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("xuntu_gpu_pictures", {"library": "default"})


def test_a_service_answers_the_same_from_a_gpu_and_says_how_much_is_there(library):
    async def ask() -> None:
        metrics = Metrics()
        service = Service(Settings(data=library, index={"device": "cpu"}), metrics)
        assert pictures_on_gpu(metrics) == 0
        await service.start()
        before = await service.search(CATS)
        assert pictures_on_gpu(metrics) == 0
        vectors = GpuVectors(ProcessorInPlace(), least_values=0)
        service.serving.engine.opened.index.use(vectors)
        assert pictures_on_gpu(metrics) == 9
        assert (await service.search(CATS)).hits == before.hits
        vectors.close()
        assert pictures_on_gpu(metrics) == 0
        assert (await service.search(CATS)).hits == before.hits
        await service.stop()

    asyncio.run(ask())


@pytest.mark.skipif(open_gpu("cuda:0") is not None, reason="the GPU is there")
def test_a_service_that_is_asked_for_a_gpu_that_is_not_there_says_so_and_answers(library, caplog):
    async def ask() -> None:
        said = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Listener(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if "cuda:0" in record.getMessage():
                    loop.call_soon_threadsafe(said.set)

        listener = Listener()
        logging.getLogger().addHandler(listener)
        service = Service(Settings(data=library, index={"device": "cuda:0"}), Metrics())
        await service.start()
        await said.wait()
        logging.getLogger().removeHandler(listener)
        assert (await service.search(CATS)).hits[0].path == "cat.png"
        await service.stop()

    asyncio.run(asyncio.wait_for(ask(), 300))
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "XUNTU_INDEX__DEVICE=cpu" in said.getMessage()
