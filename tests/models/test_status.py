"""What is said of encoders: their size, licence and source, and what is published of how well they do."""

import json
from dataclasses import replace

import pytest

from models.encoders.registry import get_spec, list_encoders
from models.encoders.runtime import Runtime
from models.encoders.spec import PublishedFigure
from models.foundation.errors import UnknownEncoder
from models.weights.status import describe_encoder, describe_encoders


@pytest.fixture
def nothing_here(tmp_path) -> Runtime:
    return Runtime(weights=tmp_path)


def test_every_encoder_is_described_for_programs(nothing_here):
    found = json.loads(json.dumps(describe_encoders(nothing_here)))
    assert [one["name"] for one in found] == list_encoders()
    for one in found:
        assert one == json.loads(json.dumps(describe_encoder(one["name"], nothing_here)))
        assert one["license"]
        assert bool(one["download_bytes"]) == bool(one["places"]) == (one["name"] not in ("starter-v3", "starter"))


@pytest.mark.parametrize(
    ("name", "gigabytes", "revision", "terms"),
    [
        ("fg-clip2-base", 1.536, "430fbc8a912c86fd4de601381b6245a0edab22f0", False),
        ("siglip2-giant-opt-patch16-384", 7.488, "a713301b217d38485fb2204c808367d10bc3cc40", False),
        ("dinov3-vits16", 0.088, "114c1379950215c8b35dfcd4e90a5c251dde0d32", True),
        ("chinese-clip-vit-b-16", 0.752, "", False),
        ("starter-v3", 0, "", False),
        ("starter", 0, "", False),
    ],
)
def test_what_would_be_downloaded_is_told(nothing_here, name, gigabytes, revision, terms):
    one = describe_encoder(name, nothing_here)
    assert one["download_bytes"] == round(gigabytes * 1e9)
    assert (one["revision"], bool(one["terms"])) == (revision, terms)


def test_published_figures_have_a_source_and_no_two_are_of_the_same():
    figures = [(name, figure) for name in list_encoders() for figure in get_spec(name).figures]
    assert len(figures) > 15
    for name, figure in figures:
        assert figure.source, name
        assert 0 < figure.value < 100
    assert len({(name, figure.dataset, figure.measure) for name, figure in figures}) == len(figures)


def test_figures_decide_nothing():
    spec = get_spec("fg-clip2-so400m")
    other = PublishedFigure(dataset="Flickr30K-CN", measure="text -> image, R@1", value=1.0, source="nobody")
    assert spec.figures[0].value == 77.2
    assert spec.fingerprint == replace(spec, figures=()).fingerprint == replace(spec, figures=(other,)).fingerprint


def test_an_encoder_that_is_not_there_is_said_to_be_unknown(nothing_here):
    with pytest.raises(UnknownEncoder):
        describe_encoder("fg-clip3", nothing_here)
