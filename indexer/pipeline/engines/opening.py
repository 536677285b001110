"""The engine that the settings of a run name."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from indexer.config import IndexerSettings
from indexer.pipeline.engines.local import LocalEngine
from indexer.pipeline.engines.port import EncodingEngine
from models.encoders.spec import EncoderSpec


def open_engine(settings: IndexerSettings, specs: Sequence[EncoderSpec]) -> AbstractContextManager[EncodingEngine]:
    """Return the engine for these encoders."""
    named = {spec.name: spec for spec in specs}
    return LocalEngine(named, settings.runtime, workers=settings.workers, batch_size=settings.batch_size)
