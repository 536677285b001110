"""The engine that the settings of a run name."""

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager

from indexer.config import IndexerSettings
from indexer.library.catalog.writer import Catalog
from indexer.library.layout import Layout
from indexer.pipeline.engines.local import LocalEngine
from indexer.pipeline.engines.port import EncodingEngine
from models.encoders.spec import EncoderSpec

_KEY = "encoding_key"  # the note of the catalog with which results on their way are signed


def open_engine(
    settings: IndexerSettings, layout: Layout, catalog: Catalog, specs: Sequence[EncoderSpec]
) -> AbstractContextManager[EncodingEngine]:
    """Return the engine for these encoders. Raises BackendNotInstalled."""
    named = {spec.name: spec for spec in specs}
    if settings.engine == "local":
        return LocalEngine(named, settings.runtime, workers=settings.workers, batch_size=settings.batch_size)
    from indexer.pipeline.engines.cluster import OWN, load_ray, read_address
    from indexer.pipeline.engines.ray import RayEngine, RayOptions
    from indexer.pipeline.engines.shards import ResultStore

    address, cluster = read_address(settings.engine), settings.cluster
    load_ray(address)
    key = bytes.fromhex(_library_key(catalog))
    folder = layout.encoding if address == OWN else None
    if cluster.shared is not None:  # by several libraries, perhaps: each has a folder of its own in it
        folder = cluster.shared.absolute() / hashlib.sha256(key).hexdigest()[:16]
    options = RayOptions(
        address=address,
        shard=cluster.shard,
        cpus=cluster.cpus,
        most=settings.workers or None,
        batch_size=settings.batch_size,
        store=ResultStore(folder, key) if folder else None,
    )
    return RayEngine(named, settings.runtime, options, layout)


def _library_key(catalog: Catalog) -> str:
    key = catalog.get_meta(_KEY)
    if not key:
        key = secrets.token_hex(32)
        with catalog.writing():
            catalog.put_meta(_KEY, key)
    return key
