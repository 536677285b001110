"""A service follows the builds of its library, whatever happens on the way."""

import asyncio
import logging
import shutil

from api.config import Settings
from api.http.metrics import Metrics
from api.http.service import Service
from indexer.config import IndexerSettings
from indexer.pipeline.commands import rebuild


class Stumbling(Service):
    """Fails to open the first build that it follows, in a way that nobody has thought of."""

    has_stumbled = False

    def _load(self):
        if self._serving and not self.has_stumbled:
            self.has_stumbled = True
            raise ZeroDivisionError
        return super()._load()


def test_what_nobody_has_thought_of_is_logged_and_the_next_build_is_used_at_once(library, tmp_path, caplog):
    data = shutil.copytree(library, tmp_path / "library")

    async def follow() -> None:
        service = Stumbling(Settings(data=data, api={"follow_seconds": 0.01}), Metrics())
        await service.start()
        first = service.serving.engine.opened.manifest.build
        async with asyncio.timeout(120):
            await asyncio.to_thread(rebuild, IndexerSettings(data=data))
            while not service.has_stumbled:
                await asyncio.sleep(0.01)
            assert service.serving.engine.opened.manifest.build == first
            build = (await asyncio.to_thread(rebuild, IndexerSettings(data=data))).build
            while service.serving.engine.opened.manifest.build != build:
                await asyncio.sleep(0.01)
        await service.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(follow())
    assert "ZeroDivisionError" in caplog.text
