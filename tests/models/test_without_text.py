"""DINOv2 at random weights, which reads no text: exported, and in a library alone or beside an encoder that does."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.config import Settings
from api.http.app import create_app
from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.routing import Routing
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import get_published, load_image_encoder
from models.encoders.weights_folder import EncoderFolder
from models.foundation.errors import ExportRefused, NoTextTower, WeightsCorrupt, WeightsMissing
from models.weights.export import export

NAME = "dinov2-small"


def test_an_export_gives_the_vectors_of_the_checkpoint_without_it(dinov2_small, at, pictures, tmp_path, depth):
    copied = shutil.copytree(dinov2_small / NAME, tmp_path / NAME)
    published, runtime = get_published(NAME), at(tmp_path)
    on_torch = load_image_encoder(NAME, runtime)
    pixels = np.stack([on_torch.preprocess(picture) for picture in pictures])
    (exported,) = export(published, EncoderFolder(tmp_path, published.spec), ["fp32"])
    assert (exported.tower, exported.precision) == ("image", "fp32")
    (copied / "model.safetensors").unlink()
    exported_encoder = load_image_encoder(NAME, runtime)
    assert type(exported_encoder) is not type(on_torch)
    assert np.abs(exported_encoder.encode_image(pixels) - on_torch.encode_image(pixels)).max() < 1e-5


def test_a_build_that_never_encoded_anything_ties_the_library_to_nothing(photographs, dinov2_small, tmp_path):
    settings = IndexerSettings(data=tmp_path / "data", weights=tmp_path, workers=0)
    (tmp_path / "dinov2-small").mkdir()
    (tmp_path / "dinov2-small" / "pytorch_model.bin").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsCorrupt):
        build(settings, [photographs], BuildOptions(encoders=["dinov2-small"]))
    (tmp_path / "dinov2-small" / "pytorch_model.bin").unlink()
    shutil.copy(dinov2_small / "dinov2-small" / "model.safetensors", tmp_path / "dinov2-small")
    assert build(settings, [photographs], BuildOptions(encoders=["dinov2-small"])).encoded == 9


def test_an_export_that_is_not_the_original_is_refused_and_leaves_nothing(dinov2_small, tmp_path):
    import torch

    class Restless(torch.nn.Module):
        """An image tower that sees something else each time."""

        def forward(self, pixels):
            return pixels.float().mean(dim=(1, 2)).repeat(1, 128) + 99 * torch.randn(384)

    shutil.copytree(dinov2_small / "dinov2-small", tmp_path / "dinov2-small")
    published = get_published("dinov2-small")
    weights = EncoderFolder(tmp_path, published.spec)
    before = weights.record()
    family = replace(published.family, load_towers=lambda *_: (Restless(), None))
    with pytest.raises(ExportRefused, match="fp32") as caught:
        export(replace(published, family=family), weights, ["fp32"])
    assert "拒绝" in caught.value.text("zh")
    assert weights.record() == before
    names = {path.name for path in weights.path.iterdir()}
    assert names <= {"config.json", "model.safetensors", "encoder.json", ".lock"}


@pytest.mark.parametrize("state", ["missing", "damaged"])
def test_what_is_asked_of_other_encoders_is_answered_without_the_weights_of_one(
    dinov2_small, photographs, tmp_path, caplog, state
):
    settings = Settings(data=tmp_path / "data", weights=tmp_path / "weights")
    folder = shutil.copytree(dinov2_small / "dinov2-small", settings.weights / "dinov2-small")
    writing = IndexerSettings(data=settings.data, weights=settings.weights, workers=0)
    build(writing, [photographs], BuildOptions(encoders=["starter", "dinov2-small"]))
    if state == "missing":
        shutil.rmtree(folder)
    else:
        (folder / "model.safetensors").write_bytes(b"damaged")
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    picture = (photographs / "cat.png").read_bytes()
    words, shown = Query(clauses=[Clause(text="一只猫")], k=1), Query(clauses=[Clause(image=picture)], k=1)
    found = engine.search(words)
    assert (found.encoders, found.hits[0].path) == (["starter"], "cat.png")
    assert engine.search(Query(clauses=[Clause(image_id=found.hits[0].id)])).encoders == ["dinov2-small"]
    assert engine.search(replace(shown, encoders=["starter"])).hits[0].path == "cat.png"
    with pytest.raises(WeightsMissing if state == "missing" else WeightsCorrupt, match="dinov2-small"):
        engine.search(shown)
    with TestClient(create_app(settings)) as client:
        assert "dinov2-small" in caplog.text
        assert client.get("/v1/search", params={"q": "一只猫"}).json()["hits"][0]["path"] == "cat.png"
        refused = client.post("/v1/search/image", files={"file": picture})
        assert (refused.status_code, refused.json()["code"]) == (503, f"weights_{state.replace('damaged', 'corrupt')}")
        assert client.post("/v1/search/image", files={"file": picture}, data={"encoders": "starter"}).status_code == 200


def test_texts_are_not_routed_to_an_encoder_that_reads_none(dinov2_small, photographs, tmp_path):
    settings = IndexerSettings(data=tmp_path / "data", weights=dinov2_small, workers=0)
    build(settings, [photographs], BuildOptions(encoders=["starter", "dinov2-small"]))
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    names = list(engine.spaces)
    fingerprints = {name: space.entry.fingerprint for name, space in engine.spaces.items()}
    routes = {"zh": ("dinov2-small",), "en": tuple(names), "picture": tuple(names)}
    engine.opened.layout.routing.write_bytes(Routing(fingerprints=fingerprints, routes=routes).to_json())
    assert engine.routes == {"zh": ("starter",), "en": ("starter",), "picture": tuple(names)}
    assert engine.search(Query(clauses=[Clause(text="一只猫")])).encoders == ["starter"]


def test_a_library_of_pictures_alone_answers_pictures_and_says_that_it_reads_no_text(
    dinov2_small, photographs, tmp_path
):
    settings = IndexerSettings(data=tmp_path / "data", weights=dinov2_small, workers=0)
    build(settings, [photographs], BuildOptions(encoders=["dinov2-small"]))
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    found = engine.search(Query(clauses=[Clause(image=(photographs / "cat.png").read_bytes())], k=1))
    assert (found.hits[0].path, round(found.hits[0].score, 3)) == ("cat.png", 1.0)
    with pytest.raises(NoTextTower, match="reads no text"):
        engine.search(Query(clauses=[Clause(text="一只猫")], k=1))
    engine.opened.catalog.close()


def test_pictures_go_to_an_encoder_that_reads_no_text_and_texts_to_the_one_beside_it(
    dinov2_small, photographs, tmp_path
):
    settings = IndexerSettings(data=tmp_path / "data", weights=dinov2_small, workers=0)
    build(settings, [photographs], BuildOptions(encoders=["starter"]))
    added = build(settings, [], BuildOptions(encoders=["starter", "dinov2-small"]))
    assert (added.encoded, added.encoders) == (9, ("starter", "dinov2-small"))
    engine = SearchEngine.open(settings.data, runtime=settings.runtime)
    picture = Clause(image=(photographs / "cat.png").read_bytes())
    found = engine.search(Query(clauses=[picture], k=1))
    assert found.encoders == ["dinov2-small"]
    assert (found.hits[0].path, round(found.hits[0].score, 3)) == ("cat.png", 1.0)
    assert engine.search(Query(clauses=[Clause(text="一只猫")])).encoders == ["starter"]
    together = engine.search(Query(clauses=[picture, Clause(text="人", weight=-1)]))
    assert together.encoders == ["dinov2-small", "starter"]
    with pytest.raises(NoTextTower, match="reads no text"):
        engine.search(Query(clauses=[Clause(text="一只猫")], encoders=["dinov2-small"]))
    engine.opened.catalog.close()
