"""A library whose index another package makes, one that takes filters only: it answers as one of segments does."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api.search.engine import SearchEngine
from api.search.query import Clause, Query
from indexer.config import IndexerSettings
from indexer.library.builds.current import read_current, roll_back
from indexer.library.catalog.filter_parser import parse_filter
from indexer.library.errors import BrokenIndexBackend, UnknownIndexBackend
from indexer.library.index.backends import GROUP, get_backend, list_backends
from indexer.library.layout import Layout
from indexer.library.opened import open_build
from indexer.pipeline.commands import BuildOptions, build, rebuild, verify

BOTH = ["starter", "hash"]
CAT, COFFEE, SPACE = "一只猫", "a cup of coffee", "a rocket"
FILTERS = ["path=people/", "format=png", "width>=400 and format=jpeg", "width<10", "colour=red|orange", "height>=1"]


def settings_for(data: Path, backend: str) -> IndexerSettings:
    return IndexerSettings(data=data, workers=0, index={"backend": backend})


@pytest.fixture(scope="module")
def pictures(photographs, tmp_path_factory) -> Path:
    """Photographs, copies of some, and smaller versions. Not to be changed."""
    folder = tmp_path_factory.mktemp("with_copies") / "pictures"
    shutil.copytree(photographs, folder)
    shutil.copy(folder / "cat.png", folder / "people" / "cat again.png")
    for name in ("coffee.png", "china.jpg", "rocket.jpg"):
        image = Image.open(folder / name).convert("RGB")
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(folder / f"small {name}.jpg", quality=85)
    return folder


@pytest.fixture(scope="module")
def libraries(pictures, plugin, tmp_path_factory, make_fit, save_fits) -> dict[str, Path]:
    """The same library with an index of each back end, whose hits have a relevance. Not to be changed."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("faiss", "filters_only")}
    for name, data in found.items():
        build(settings_for(data, name), [pictures], BuildOptions(encoders=BOTH))
        save_fits(data, zh=make_fit(0.15), en=make_fit(0.15), picture=make_fit(0.5))
    return found


@pytest.fixture(scope="module")
def engines(libraries) -> list[SearchEngine]:
    return [SearchEngine.open(data) for data in libraries.values()]


@pytest.fixture
def own(libraries, tmp_path) -> Path:
    """A copy of the library of the other package, to be changed."""
    return Path(shutil.copytree(libraries["filters_only"], tmp_path / "own"))


@pytest.fixture
def without_plugin(plugin, monkeypatch) -> None:
    """Take the package away."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(plugin)])


def text(words: str, weight: float = 1.0) -> Clause:
    return Clause(text=words, weight=weight)


def ask_both(engines, *clauses, **options) -> list:
    """Ask both, check that they answer alike, and return the hits."""
    query = Query(clauses=clauses, **{"k": 20, **options})
    expected, found = (engine.search(query) for engine in engines)
    for right, hits in ((expected.hits, found.hits), (expected.nearest, found.nearest)):
        assert [hit.id for hit in hits] == [hit.id for hit in right]
        np.testing.assert_allclose([hit.score for hit in hits], [hit.score for hit in right], rtol=0, atol=3e-6)
        assert [hit.duplicates for hit in hits] == [hit.duplicates for hit in right]
        relevances = [[hit.relevance for hit in one] for one in (hits, right)]
        assert relevances[0] == (
            pytest.approx(relevances[1], abs=1.1e-3) if None not in relevances[1] else relevances[1]
        )
    assert (found.total, found.more, found.notes) == (expected.total, expected.more, expected.notes)
    return found.hits


def asked(engine) -> list:
    """Return the filters that the indexes of an engine were given."""
    return [one for space in engine.spaces.values() for one in space.index._index.asked]


def test_the_library_is_made_verified_and_opened_by_the_other_package(libraries):
    manifest = read_current(Layout(libraries["filters_only"]))
    assert [(entry.encoder, entry.backend, entry.recipe) for entry in manifest.indexes] == [
        (name, "filters_only", "array") for name in BOTH
    ]
    assert {entry.backend for entry in read_current(Layout(libraries["faiss"])).indexes} == {"faiss"}
    for name, data in libraries.items():
        assert verify(settings_for(data, name)) == []
    held = [open_build(data).index.list_ids().tolist() for data in libraries.values()]
    assert held[0] == held[1]
    assert len(held[0]) == 13


@pytest.mark.parametrize("where", [None, *FILTERS])
@pytest.mark.parametrize(
    "clauses",
    [(text(CAT),), (text(CAT), text(COFFEE)), (text(COFFEE), text(CAT, -0.5)), (Clause(image_id=3),)],
    ids=["a text", "a sum", "towards and away", "a picture"],
)
def test_both_answer_alike(engines, clauses, where):
    before = len(asked(engines[1]))
    hits = ask_both(engines, *clauses, where=where)
    for k, offset in ((3, 0), (3, 3), (2, 9)):
        page = ask_both(engines, *clauses, where=where, k=k, offset=offset)
        assert [hit.id for hit in page] == [hit.id for hit in hits[offset : offset + k]]
    ask_both(engines, *clauses, where=where, hide_duplicates=True, k=4)
    ask_both(engines, *clauses, where=where, min_score=0.1)
    ask_both(engines, *clauses, where=where, encoders=BOTH)
    assert (len(asked(engines[1])) > before) == (where is not None)
    assert set(asked(engines[1])) <= {parse_filter(one, engines[1].fields()) for one in FILTERS}


@pytest.mark.parametrize("where", [None, "format=png", "path=people/", "width<10"])
@pytest.mark.parametrize("least", [0.05, 0.5, 0.9, 1.0])
def test_what_is_not_relevant_enough_is_left_out_by_both(engines, where, least):
    ask_both(engines, text(CAT), where=where, min_relevance=least)
    # Of a sum the hits have to be relevant to each part: they are listed, and the list is searched.
    ask_both(engines, text(CAT), text("an animal"), where=where, min_relevance=least)
    ask_both(engines, text(CAT), Clause(image_id=3), where=where, min_relevance=least, hide_duplicates=True, k=3)


def test_there_is_something_relevant_to_be_found_and_to_be_left_out(engines):
    sizes = {len(ask_both(engines, text(CAT), text("an animal"), min_relevance=least)) for least in (0.0, 0.3, 1.0)}
    assert len(sizes) > 1
    assert max(sizes) > 0


@pytest.mark.parametrize("match", ["text", "both"])
def test_words_in_names_are_found_among_what_a_filter_leaves(engines, match):
    for where in (None, *FILTERS):
        ask_both(engines, text("cat"), where=where, match=match)
        ask_both(engines, text("small"), where=where, match=match, k=2, offset=1)


def test_a_picture_that_is_asked_about_is_no_answer_whether_or_not_the_filter_leaves_it(engines):
    for image_id in range(2, 6):
        for where in (None, *FILTERS):
            hits = ask_both(engines, Clause(image_id=image_id), where=where)
            assert image_id not in [hit.id for hit in hits]


def test_a_process_finds_the_package_by_its_entry_point(processes, libraries, plugin, tmp_path):
    checkout = Path(__file__).resolve().parents[2]
    program = "from api.cli import main; main()"
    command = [sys.executable, "-c", program, "search", CAT, "--data", libraries["filters_only"], "--k", "1"]
    found = {}
    for name, path in (("installed", f"{checkout}:{plugin}"), ("missing", str(checkout))):
        for language in ("en_US.UTF-8", "zh_CN.UTF-8"):
            environment = {"PYTHONPATH": path, "HOME": str(tmp_path), "LANG": language, "LC_ALL": language}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
            found[name, language] = done
    assert "cat" in found["installed", "en_US.UTF-8"].stdout
    assert found["missing", "en_US.UTF-8"].returncode != 0
    assert "There is no index back end filters_only; there are: faiss." in found["missing", "en_US.UTF-8"].stderr
    assert "没有名为 filters_only 的索引后端；现有：faiss。" in found["missing", "zh_CN.UTF-8"].stderr


def test_the_next_build_follows_what_changes_in_the_folders(own, pictures, tmp_path):
    settings = settings_for(own, "filters_only")
    added = tmp_path / "more"
    added.mkdir()
    shutil.copy(pictures / "moon.png", added / "moon again.png")
    build(settings, [added], BuildOptions(encoders=BOTH))
    index = open_build(own).index
    assert len(index) == 14
    assert verify(settings) == []
    roll_back(Layout(own))
    assert len(open_build(own).index) == 13


def test_one_back_end_takes_over_from_the_other_without_encoding_again(own):
    before = open_build(own).index
    assert rebuild(settings_for(own, "faiss")).encoded == 0
    after = open_build(own).index
    np.testing.assert_array_equal(after.list_ids(), before.list_ids())
    np.testing.assert_array_equal(after.fetch(after.list_ids()), before.fetch(before.list_ids()))
    assert roll_back(Layout(own)).indexes[0].backend == "filters_only"


def test_damage_is_found_by_whoever_made_the_index(own):
    manifest = read_current(Layout(own))
    path = Layout(own).builds / manifest.build / manifest.indexes[0].files[0].file
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    (problem,) = verify(settings_for(own, "filters_only"))
    assert path.name in problem.text("en")
    build(settings_for(own, "filters_only"), [], BuildOptions(encoders=BOTH))
    assert verify(settings_for(own, "filters_only")) == []


def test_without_the_package_its_library_is_said_to_lack_it_and_is_made_anew_by_another(own, without_plugin):
    with pytest.raises(UnknownIndexBackend) as caught:
        open_build(own)
    assert "there are: faiss" in caught.value.en
    assert "现有：faiss" in caught.value.zh
    problems = verify(settings_for(own, "faiss"))
    assert len(problems) == len(BOTH)
    assert all("filters_only" in problem.text("en") for problem in problems)
    report = build(settings_for(own, "faiss"), [], BuildOptions(encoders=BOTH))
    assert report.encoded == 0
    assert verify(settings_for(own, "faiss")) == []
    assert len(open_build(own).index) == 13


def test_an_unknown_back_end_in_the_settings_is_refused_before_anything_is_encoded(pictures, tmp_path):
    with pytest.raises(UnknownIndexBackend, match="There is no index back end soup"):
        build(settings_for(tmp_path / "data", "soup"), [pictures], BuildOptions(encoders=BOTH))
    assert not list(tmp_path.rglob("*.npy"))


def test_back_ends_are_named(plugin):
    assert list_backends() == ["faiss", "filters_only"]
    assert type(get_backend("filters_only")).__name__ == "FiltersOnlyBackend"


@pytest.mark.parametrize("place", ["gone:Backend", "filters_only:Gone", "filters_only:GROUP.upper"])
def test_a_back_end_that_cannot_be_loaded_is_named_with_the_reason(plugin, tmp_path, monkeypatch, place):
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nbroken = {place}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenIndexBackend, match="The index back end broken cannot be loaded") as caught:
        get_backend("broken")
    assert "无法加载索引后端 broken" in caught.value.zh
