"""No vector changes its owner: what belongs to an encoder goes by its name, in whatever order encoders are given."""

import random
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from indexer.errors import EncodersDiffer
from indexer.library.catalog.writer import Catalog
from indexer.library.encoders import LibraryEncoder
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import ScanContext
from indexer.library.vectors.store import VectorStore
from indexer.pipeline.encode import EncodeRun, Progress
from indexer.pipeline.engines.devices import DeviceEncoders
from indexer.pipeline.engines.local import LocalEngine
from indexer.pipeline.read import EncoderView, ImageDataset
from models.encoders import hash as hash_encoder
from models.encoders.runtime import Runtime
from models.encoders.spec import EncoderSpec
from models.foundation.vectors import Pixels, Vectors
from models.pictures.decode import decode_image

NAMES = ["north", "east", "south"]  # of one length, so that vectors of each would fit into the store of another
SPECS = {name: replace(hash_encoder.SPEC, name=name) for name in NAMES}


class Turned(DeviceEncoders):
    """The hash encoder, its vectors turned by so many places as its name says."""

    def load(self) -> None:
        pass

    def submit(self, pixels: Pixels) -> "Future[Vectors]":
        done: Future[Vectors] = Future()
        done.set_result(vectors_by(self.spec.name, pixels))
        return done


def engine_with(specs: dict[str, EncoderSpec], *, batch_size: int) -> LocalEngine:
    return LocalEngine(specs, Runtime(), workers=0, batch_size=batch_size, open_devices=Turned)


def vectors_by(name: str, pixels: Pixels) -> Vectors:
    """Return what an encoder makes of pixels; like any encoder it sees pictures in a way of its own."""
    return np.roll(hash_encoder.HashEncoder().encode_image(pixels), 1 + NAMES.index(name), axis=1)


def view_of(name: str) -> EncoderView:
    return EncoderView(partial(pixels_for, name), hash_encoder.SPEC.image_size)


def pixels_for(name: str, image: Image.Image) -> np.ndarray:
    """Return a picture as an encoder sees it: each from another side."""
    return hash_encoder.PREPROCESS(image.rotate(90 * NAMES.index(name)))


def shuffled(chance: random.Random) -> list[str]:
    return chance.sample(NAMES, len(NAMES))


@pytest.mark.parametrize("seed", range(6))
def test_vectors_stay_with_their_encoder_however_encoders_are_ordered(album, seed):
    chance = random.Random(seed)  # noqa: S311
    album.draw(*(f"{n}.png" for n in range(5)))
    album.data.mkdir()
    catalog = Catalog(album.layout.catalog, create=True)
    with catalog.writing():
        catalog.put_root(album.pictures, include=(), exclude=(), hidden=False)
        catalog.put_encoders([(name, SPECS[name].fingerprint) for name in shuffled(chance)])
    ids = {one.name: one.id for one in catalog.list_encoders()}
    (root,) = catalog.list_roots()
    encoders = {
        name: LibraryEncoder(ids[name], SPECS[name], VectorStore(album.layout.vectors(name), SPECS[name].dim))
        for name in shuffled(chance)
    }
    views = {name: view_of(name) for name in shuffled(chance)}
    source = open_source(root)
    dataset = ImageDataset(list(source.scan(ScanContext())), {root.id: source}, views, album.layout)
    EncodeRun(catalog, encoders, Progress(total=len(dataset))).run(
        engine_with({name: SPECS[name] for name in shuffled(chance)}, batch_size=chance.randint(1, 5)),
        dataset,
        on_progress=lambda _: None,
    )
    for name in NAMES:
        locations = catalog.locations(ids[name])
        stored = dict(zip(locations.ids.tolist(), encoders[name].store.gather(locations), strict=True))
        rows = catalog.get_images(list(stored))
        assert len(rows) == 5
        for image_id, row in rows.items():
            image = decode_image((album.pictures / row.path).read_bytes(), short_side=1, long_side=4096).image
            own = vectors_by(name, pixels_for(name, image)[None])[0]
            np.testing.assert_allclose(stored[image_id], own, rtol=0, atol=1e-5, err_msg=f"{name} {row.path}")
    catalog.close()


def test_a_run_whose_encoders_differ_encodes_nothing(album):
    encoders = {name: LibraryEncoder(1, SPECS[name], VectorStore(album.data, 32)) for name in NAMES}
    views = {name: view_of(name) for name in NAMES}
    mixed = {**SPECS, "north": SPECS["east"], "east": SPECS["north"]}
    for those_specs, those_views in [
        ({name: SPECS[name] for name in NAMES[:2]}, views),
        (SPECS, {name: views[name] for name in NAMES[1:]}),
        (mixed, views),
    ]:
        run = EncodeRun(None, encoders, Progress(total=0))
        dataset = ImageDataset([], {}, those_views, album.layout)
        with pytest.raises(EncodersDiffer) as caught:
            run.run(engine_with(those_specs, batch_size=1), dataset, on_progress=lambda _: None)
        assert "north" in caught.value.en
        assert "没有编码" in caught.value.zh
