"""A library of several encoders answers as each alone would, or fused by reciprocal rank, along its routes."""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from api.evaluation.measures.samples import Ranks
from api.evaluation.routes import choose
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery, InvalidRouting
from api.search.fusion import fuse
from api.search.query import Clause, Query
from api.search.routing import assign, default_routes, kind_of_clause, parse_routes
from indexer.config import IndexerSettings
from indexer.library.errors import RoutingUnreadable
from indexer.library.routing import Measured, Routing
from indexer.pipeline.commands import BuildOptions, build
from models.encoders.registry import get_spec

BOTH = ["hash", "starter"]
JOINT, CHINESE, PICTURES = map(get_spec, ("siglip2-base-patch16-224", "chinese-clip-vit-b-16", "dinov2-base"))


@pytest.fixture(scope="module")
def data(photographs, tmp_path_factory):
    """A library of the photographs with two encoders. Not to be changed."""
    folder = tmp_path_factory.mktemp("spaces")
    build(IndexerSettings(data=folder, workers=0), [photographs], BuildOptions(encoders=BOTH))
    return folder


@pytest.fixture
def own(data, tmp_path):
    """A copy of the library, to be changed."""
    return shutil.copytree(data, tmp_path / "own")


def open_engine(data, routing="", **options):
    return SearchEngine.open(data, routing=routing, **options)


def ask(engine, *clauses, **options):
    return engine.search(Query(clauses=clauses, **{"k": 9, **options}))


def ids(result) -> list[int]:
    return [hit.id for hit in result.hits]


def rank_alone(engine, name, vector) -> np.ndarray:
    """Return the ids of an index from near to far, by numpy."""
    index = engine.get_space(name).index
    held = index.list_ids()
    scores = index.fetch(held) @ vector
    return held[np.lexsort((held, -scores))]


# Which encoder answers


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([JOINT], ("siglip2-base-patch16-224",) * 3),
        ([CHINESE, PICTURES], ("chinese-clip-vit-b-16", "chinese-clip-vit-b-16", "dinov2-base")),
        ([PICTURES, CHINESE], ("chinese-clip-vit-b-16", "chinese-clip-vit-b-16", "dinov2-base")),
        ([replace(CHINESE, languages=("zh",)), JOINT], (CHINESE.name, JOINT.name, CHINESE.name)),
        ([replace(CHINESE, languages=("fr",)), PICTURES], (CHINESE.name, CHINESE.name, PICTURES.name)),
        ([PICTURES], ("dinov2-base",) * 3),
    ],
    ids=["one", "text and pictures", "pictures first", "a language each", "another language", "pictures alone"],
)
def test_by_default_routes_follow_what_encoders_are_made_for(specs, expected):
    routes = default_routes(specs)
    assert tuple(names[0] for names in (routes["zh"], routes["en"], routes["picture"])) == expected
    assert all(len(names) == 1 for names in routes.values())


def test_routes_can_be_given_in_words():
    specs = [CHINESE, PICTURES]
    routes = parse_routes(f"picture={PICTURES.name}+{CHINESE.name} zh={CHINESE.name}", specs)
    assert routes == {"picture": (PICTURES.name, CHINESE.name), "zh": (CHINESE.name,)}
    assert parse_routes("", specs) == {}


@pytest.mark.parametrize(
    "text",
    [
        "zh",
        "zh=",
        "zh=nobody",
        "ja=dinov2-base",
        "zh=dinov2-base",
        "picture=dinov2-base+",
        "picture=dinov2-base picture=chinese-clip-vit-b-16",
    ],
)
def test_routes_that_lead_nowhere_are_refused(text):
    with pytest.raises(InvalidRouting, match="chinese-clip-vit-b-16"):
        parse_routes(text, [CHINESE, PICTURES])


@pytest.mark.parametrize(
    ("clauses", "expected"),
    [
        ([("猫", 1)], {"a": [0]}),
        ([("猫", 1), ("a cat", 1)], {"a": [0], "b": [1]}),
        ([(None, 1)], {"c": [0]}),
        ([("猫", 1), (None, 2)], {"a": [0], "c": [1]}),
        ([("猫", 1), ("dog", -1)], {"a": [0, 1]}),
        ([("dog", -1), ("猫", 1), ("a cat", 1)], {"a": [0, 1], "b": [0, 2]}),
        ([("猫", -1)], {"a": [0]}),
        ([(None, 1), ("dog", -1)], {"c": [0], "b": [0, 1]}),
        ([(None, 1), ("猫", 1), ("dog", -1), (None, -1)], {"c": [0, 3], "a": [1, 2, 3]}),
    ],
)
def test_clauses_go_where_they_can_be_answered(clauses, expected):
    """`a` answers Chinese, `b` English, and `c` pictures alone."""
    routes = {"zh": ("a",), "en": ("b",), "picture": ("c",)}
    given = [Clause(text=text, image_id=None if text else 7, weight=weight) for text, weight in clauses]
    found = assign(
        given, lambda clause: routes[kind_of_clause(clause)], lambda name, clause: name != "c" or clause.text is None
    )
    assert found == expected


# What is found


@pytest.mark.parametrize("name", BOTH)
def test_one_encoder_answers_as_it_would_alone(photographs, tmp_path, name, heavy):
    """Of pictures that no encoder has reduced while they are decoded: those are read as the largest wants them."""
    pictures, alone, both = tmp_path / "pictures", tmp_path / "alone", tmp_path / "both"
    pictures.mkdir()
    for file_name in ("cat.png", "coffee.png", "rocket.jpg", "moon.png", "china.jpg", "flower.jpg"):
        with Image.open(photographs / file_name) as image:
            image.convert("RGB").resize((300, 200)).save((pictures / file_name).with_suffix(".png"))
    build(IndexerSettings(data=alone, workers=0), [pictures], BuildOptions(encoders=[name]))
    build(IndexerSettings(data=both, workers=0), [pictures], BuildOptions(encoders=BOTH))
    engine, single = open_engine(both), open_engine(alone)
    for clause in (Clause(text="一只猫"), Clause(text="a cup of coffee"), Clause(image_id=3)):
        found, expected = ask(engine, clause, encoders=[name]), ask(single, clause)
        assert found.hits == [replace(hit, root=found.hits[0].root) for hit in expected.hits]
        assert (found.encoders, found.encoder, found.total) == ([name], name, expected.total)


def test_a_route_of_two_encoders_fuses_their_rankings(data):
    engine = open_engine(data, "zh=starter+hash", hub_correction=False)
    result = ask(engine, Clause(text="一只猫"))
    vectors = {name: engine.get_space(name).encoders.text.encode_text(["一只猫"])[0] for name in BOTH}
    rankings = [rank_alone(engine, name, vectors[name]) for name in ("starter", "hash")]
    assert ids(result) == fuse(rankings, [0.5, 0.5]).tolist()
    assert result.encoders == ["starter", "hash"]
    assert result.encoder == "starter"
    index = engine.get_space("starter").index
    scores = index.fetch(np.array(ids(result))) @ vectors["starter"]
    assert [hit.score for hit in result.hits] == pytest.approx(scores.tolist(), abs=1e-5)


def test_clauses_of_two_routes_are_ranked_apart_and_fused_by_weight(data, photographs):
    engine = open_engine(data, "zh=starter picture=hash", hub_correction=False)
    picture = (photographs / "moon.png").read_bytes()
    result = ask(engine, Clause(text="一只猫"), Clause(image=picture, weight=3))
    text = engine.get_space("starter").encoders.text.encode_text(["一只猫"])[0]
    (moon,) = ids(ask(engine, Clause(image=picture), k=1))
    shown = engine.get_space("hash").index.fetch(np.array([moon]))[0]
    rankings = [rank_alone(engine, "starter", text), rank_alone(engine, "hash", shown)]
    assert ids(result) == fuse(rankings, [0.25, 0.75]).tolist()


def test_what_is_to_be_avoided_is_avoided_beside_what_is_looked_for(data):
    engine = open_engine(data, "zh=starter en=hash", hub_correction=False)
    result = ask(engine, Clause(text="一只猫"), Clause(text="people", weight=-0.5))
    assert result.encoders == ["starter"]
    assert ids(result) == ids(
        ask(engine, Clause(text="一只猫"), Clause(text="people", weight=-0.5), encoders=["starter"])
    )


def test_a_picture_finds_itself_by_every_encoder(data, photographs):
    engine = open_engine(data)
    for name in BOTH:
        for path in ("rocket.jpg", "flower.jpg", "people/astronaut.png"):
            (hit,) = ask(engine, Clause(image=(photographs / path).read_bytes()), k=1, encoders=[name]).hits
            assert (hit.path, hit.score) == (path, pytest.approx(1.0, abs=1e-5))


def test_more_like_this_goes_the_route_of_pictures_and_leaves_the_picture_out(data):
    engine = open_engine(data, "picture=hash+starter")
    result = ask(engine, Clause(image_id=4))
    assert result.encoders == BOTH
    assert len(result.hits) == result.total == 8
    assert 4 not in ids(result)
    vectors = {name: engine.get_space(name).index.fetch(np.array([4]))[0] for name in BOTH}
    rankings = [rank_alone(engine, name, vectors[name]) for name in BOTH]
    assert ids(result) == fuse([ranking[ranking != 4] for ranking in rankings], [0.5, 0.5]).tolist()


def test_pages_follow_each_other_where_rankings_are_fused(data, monkeypatch):
    engine = open_engine(data, "zh=starter+hash")
    for places in (1_000, 3):
        monkeypatch.setattr("api.search.fusion.FUSED", places)
        whole = ids(ask(engine, Clause(text="一只猫")))
        pages = [ids(ask(engine, Clause(text="一只猫"), k=2, offset=at)) for at in range(0, 10, 2)]
        assert [image_id for page in pages for image_id in page] == whole
        assert len(set(whole)) == 9


def test_words_count_as_much_as_all_encoders_together(data):
    engine = open_engine(data, "en=starter+hash", hub_correction=False)
    near = [ids(ask(engine, Clause(text="rocket"), match="vector", encoders=[name])) for name in ("starter", "hash")]
    said = ids(ask(engine, Clause(text="rocket"), match="text"))
    both = ids(ask(engine, Clause(text="rocket"), match="both"))
    assert both == fuse([np.array(ranking) for ranking in (*near, said)], [0.5, 0.5, 1.0]).tolist()


def test_filters_and_duplicates_are_those_of_any_search(data):
    engine = open_engine(data, "zh=starter+hash")
    result = ask(engine, Clause(text="一只猫"), where="path=people/", hide_duplicates=True)
    assert sorted(hit.path for hit in result.hits) == ["people/astronaut.png", "people/camera.png"]


def test_a_cosine_cannot_be_asked_of_several_encoders(data):
    engine = open_engine(data, "zh=starter+hash")
    with pytest.raises(InvalidQuery, match="encoders=starter"):
        ask(engine, Clause(text="一只猫"), min_score=0.1)
    assert ask(engine, Clause(text="一只猫"), min_score=-1, encoders=["hash"]).total == 9
    assert [note.code for note in ask(engine, Clause(text="一只猫"), min_relevance=0.5).notes] == ["cannot_tell"]


def test_an_encoder_that_the_library_has_not_is_named(data):
    engine = open_engine(data)
    with pytest.raises(InvalidQuery, match="hash, starter"):
        ask(engine, Clause(text="猫"), encoders=["dinov2-base"])
    assert ask(engine, Clause(text="猫"), encoders=["starter", "starter"]).encoders == ["starter"]


def test_a_tower_is_loaded_only_when_a_query_needs_it(data):
    engine = open_engine(data, "zh=starter en=hash picture=hash")
    ask(engine, Clause(text="一只猫"))
    loaded = {space.name: (space.encoders._text, space.encoders._image) for space in engine.spaces.values()}
    assert loaded["hash"] == (None, None)
    assert loaded["starter"][0] is not None
    assert loaded["starter"][1] is None


def test_pictures_that_only_one_encoder_has_seen_are_found_by_it(photographs, tmp_path, heavy):
    drive = tmp_path / "drive"
    drive.mkdir()
    for name in ("moon.png", "coffee.png"):
        with Image.open(photographs / name) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(drive / name)
    settings = IndexerSettings(data=tmp_path / "data", workers=0)
    build(settings, [photographs, drive], BuildOptions(encoders=["hash"]))
    drive.rename(tmp_path / "away")
    build(settings, [], BuildOptions(encoders=["starter", "hash"]))
    engine = open_engine(settings.data, "zh=starter+hash picture=starter")
    assert [len(space.index) for space in engine.spaces.values()] == [9, 11]
    result = ask(engine, Clause(text="一只猫"), k=20, hide_duplicates=False)
    assert len(result.hits) == result.total == 11
    unseen = set(ids(result)) - set(engine.get_space("starter").index.list_ids().tolist())
    like = ask(engine, Clause(image_id=min(unseen)), k=20)
    assert (like.encoders, like.total) == (["hash"], 10)
    assert len(ask(engine, Clause(text="一只猫"), k=20, hide_duplicates=True).hits) <= 11


# Routes of a library


OTHER_FORM = b'{"format": 1, "routes": {"zh": "hash"}}'
DEEP = b"[" * 100_000
TWICE = b'{"format": 1, "routes": {"zh": ["hash", "hash"]}, "measured": {}, "fingerprints": {}, "created_at": ""}'
ENDLESS = (
    b'{"format": 1, "routes": {}, "fingerprints": {}, "created_at": "", "measured": {"zh": '
    b'[{"encoders": ["hash"], "queries": 1e999, "recall@10": {"value": 0.5, "low": 0.4, "high": 0.6}}]}}'
)


def make_routing(engine, **routes):
    fingerprints = {name: space.entry.fingerprint for name, space in engine.spaces.items()}
    measured = {"zh": [Measured(encoders=("hash",), queries=30, recall=0.5, low=0.4, high=0.6)]}
    return Routing(fingerprints=fingerprints, routes=routes, measured=measured, created_at="2026-01-01T00:00:00+00:00")


def test_routes_are_kept_with_what_was_measured_and_followed_at_once(own):
    engine = open_engine(own)
    assert ask(engine, Clause(text="一只猫")).encoders == ["hash"]
    routing = make_routing(engine, zh=("starter",), picture=("starter", "hash"))
    engine.opened.layout.routing.write_bytes(routing.to_json())
    assert Routing.read(engine.opened.layout.routing) == routing
    assert ask(engine, Clause(text="一只猫")).encoders == ["starter"]
    assert ask(engine, Clause(text="a cat")).encoders == ["hash"]
    assert ask(engine, Clause(image_id=4)).encoders == ["starter", "hash"]
    assert ask(open_engine(own, "zh=hash"), Clause(text="一只猫")).encoders == ["hash"]


def test_routes_of_other_weights_are_not_followed(own):
    engine = open_engine(own)
    routing = make_routing(engine, zh=("starter",))
    other = replace(routing, fingerprints={**routing.fingerprints, "starter": "other"})
    engine.opened.layout.routing.write_bytes(other.to_json())
    assert engine.routes["zh"] == ("hash",)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 2}', OTHER_FORM, b"\xff", TWICE, DEEP, ENDLESS])
def test_damaged_routes_are_passed_over_and_said(own, content, caplog):
    engine = open_engine(own)
    path = engine.opened.layout.routing
    path.write_bytes(content)
    with pytest.raises(RoutingUnreadable, match=r"routing\.json"):
        Routing.read(path)
    assert engine.routes["zh"] == ("hash",)
    assert "routing.json" in caplog.text


# Through the doors


def test_the_service_batches_for_each_encoder_and_names_those_that_answered(own, serve):
    engine = open_engine(own, "picture=starter")
    engine.opened.layout.routing.write_bytes(make_routing(engine, zh=("starter", "hash")).to_json())
    url = serve(own, XUNTU_ROUTING="picture=starter")

    def get(path, **parameters):
        with urllib.request.urlopen(f"{url}{path}?{urllib.parse.urlencode(parameters, doseq=True)}") as response:
            return json.load(response) if path.startswith("/v1") else response.read().decode()

    found = get("/v1/search", q="一只猫", k=9)
    assert found["encoders"] == ["starter", "hash"]
    assert [hit["id"] for hit in found["hits"]] == ids(ask(engine, Clause(text="一只猫")))
    assert get("/v1/search", q="一只猫", encoders=["hash"])["encoders"] == ["hash"]
    assert get("/v1/images/4/similar")["encoders"] == ["starter"]
    about = get("/v1/index")
    assert about["encoder"]["name"] == "hash"
    assert [(one["name"], one["dim"], one["pictures"], one["answers"]) for one in about["encoders"]] == [
        ("hash", 32, 9, ["zh", "en"]),
        ("starter", 256, 9, ["zh", "picture"]),
    ]
    assert about["quality"] == {"zh": [{"encoders": ["hash"], "queries": 30, "recall": 0.5, "low": 0.4, "high": 0.6}]}
    metrics = get("/metrics")
    assert all(f'encoder="{name}"' in metrics for name in BOTH)


def run_xuntu(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_command_names_encoders(data, processes):
    for flag in ("--encoder", "--space"):
        done = run_xuntu("search", "一只猫", flag, "starter", "--data", data, "--json")
        assert json.loads(done.stdout)["encoders"] == ["starter"]
    done = run_xuntu("search", "一只猫", "--data", data, "--json", XUNTU_ROUTING="zh=starter+hash")
    assert json.loads(done.stdout)["encoders"] == ["starter", "hash"]
    done = run_xuntu("search", "一只猫", "--data", data, XUNTU_ROUTING="zh=nobody")
    assert (done.returncode, "zh=nobody" in done.stderr) == (2, True)


def test_routes_are_chosen_by_questions(own, tmp_path, processes):
    """All nine pictures are among the first ten, so the cheapest encoder stays."""
    questions = tmp_path / "questions.csv"
    names = {
        "cat.png": ("猫", "一只猫", "猫的脸", "小猫", "一只橘色的猫"),
        "coffee.png": ("咖啡", "一杯咖啡", "咖啡杯", "杯子", "桌上的咖啡"),
        "flower.jpg": ("花", "一朵花", "红色的花", "花朵", "盛开的花"),
        "rocket.jpg": ("火箭", "火箭发射", "发射台", "夜里的火箭", "一枚火箭"),
    }
    rows = [f"{text},{path},zh" for path, texts in names.items() for text in texts]
    questions.write_text("query,picture,language\n" + "\n".join(rows), encoding="utf-8")
    done = run_xuntu("evaluate", questions, "--route", "--data", own, "--json")
    assert done.returncode == 0, done.stderr
    routing = json.loads(done.stdout)["routing"]
    assert [one["encoders"] for one in routing["measured"]["zh"]] == [["hash"], ["starter"], ["hash", "starter"]]
    assert all(one["queries"] == 20 for one in routing["measured"]["zh"])
    assert routing["routes"] == {"zh": ["hash"]}
    assert json.loads((own / "routing.json").read_text(encoding="utf-8")) == routing
    table = run_xuntu("evaluate", questions, "--route", "--data", own).stdout
    assert "hash + starter" in table
    assert json.loads(run_xuntu("search", "猫", "--data", own, "--json").stdout)["encoders"] == ["hash"]
    assert "zh = hash (R@10: hash 100.0 %" in run_xuntu("index", "stats", "--data", own).stdout
    stats = json.loads(run_xuntu("index", "stats", "--data", own, "--json").stdout)
    assert stats["routes"]["zh"] == {"encoders": ["hash"], "measured": routing["measured"]["zh"]}
    report = json.loads(run_xuntu("evaluate", questions, "--encoder", "starter", "--data", own, "--json").stdout)
    assert (report["encoder"], report["settings"]["spaces"]) == ("starter", ["starter"])
    asked = run_xuntu("evaluate", questions, "--space", "nobody", "--data", own)
    assert (asked.returncode, "hash, starter" in asked.stderr) == (2, True)


def test_the_cheaper_way_stays_unless_another_is_better_beyond_chance():
    def ranks(found):
        return Ranks(np.arange(40), np.array([1.0] * found + [np.inf] * (40 - found)))

    cheap, dear, fused = ("a",), ("b",), ("a", "b")
    assert choose([(cheap, ranks(20)), (dear, ranks(21)), (fused, ranks(21))]) == cheap
    assert choose([(cheap, ranks(20)), (dear, ranks(35)), (fused, ranks(36))]) == dear
    assert choose([(cheap, ranks(10)), (dear, ranks(25)), (fused, ranks(39))]) == fused


def test_too_few_questions_choose_nothing(own, tmp_path, processes):
    questions = tmp_path / "questions.csv"
    questions.write_text("query,picture,language\n猫,cat.png,zh\n", encoding="utf-8")
    done = run_xuntu("evaluate", questions, "--route", "--data", own)
    assert done.returncode == 2
    assert "zh 1" in done.stderr
    assert not (own / "routing.json").exists()
