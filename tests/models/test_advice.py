"""The table of rules by which an encoder is chosen: what it says, and that all it says stands in the specs."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from models.encoders.registry import get_published, get_spec
from models.encoders.runtime import Runtime
from models.foundation.hardware import GB, Hardware, parse_hardware
from models.weights.advice import LANGUAGES, RULES, TIERS, AdviceRule, advise, find_tier
from models.weights.setup import plan_setup

B16, L14, L14_336 = "chinese-clip-vit-b-16", "chinese-clip-vit-l-14", "chinese-clip-vit-l-14-336"
SO400M, GIANT = "siglip2-so400m-patch16-384", "siglip2-giant-opt-patch16-384"


@pytest.mark.parametrize(
    ("hardware", "chinese", "english", "both"),
    [
        ("cpu-2", B16, "siglip2-base-patch16-224", "fg-clip2-base"),
        ("cpu-7", B16, "siglip2-base-patch16-224", "fg-clip2-base"),
        ("gpu-2", B16, "siglip2-base-patch16-224", "fg-clip2-base"),
        ("cpu-8", L14, "siglip2-base-patch16-256", "fg-clip2-base"),
        ("cpu-64", L14, "siglip2-base-patch16-256", "fg-clip2-base"),
        ("gpu-4", L14_336, "siglip2-base-patch16-256", "fg-clip2-large"),
        ("gpu-6", L14_336, "siglip2-base-patch16-256", "fg-clip2-large"),
        ("gpu-8", "fg-clip2-so400m", SO400M, "fg-clip2-so400m"),
        ("gpu-12", "fg-clip2-so400m", SO400M, "fg-clip2-so400m"),
        ("gpu-16", "fg-clip2-so400m", GIANT, "fg-clip2-so400m"),
        ("gpu-80", "fg-clip2-so400m", GIANT, "fg-clip2-so400m"),
    ],
)
def test_what_is_advised(hardware, chinese, english, both):
    found = replace(parse_hardware(hardware), cpus=2) if hardware == "gpu-2" else parse_hardware(hardware)
    assert [advise(language, found).encoder for language in ("zh", "en", "both")] == [chinese, english, both]


def test_there_is_one_rule_for_each_language_and_tier():
    assert sorted((rule.language, rule.tier) for rule in RULES) == sorted(
        product(LANGUAGES, (tier.name for tier in TIERS))
    )


def id_of(rule: AdviceRule) -> str:
    return f"{rule.language} {rule.tier}"


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_an_encoder_reads_the_languages_and_is_free_to_be_fetched_and_used(rule):
    for name in (rule.encoder, rule.runner_up):
        spec = get_spec(name)
        assert set(LANGUAGES[rule.language]) <= set(spec.languages)
        assert spec.publication.is_fetchable
        assert not spec.publication.terms
        assert spec.license in ("Apache-2.0", "MIT")
    assert rule.encoder != rule.runner_up


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_an_encoder_is_no_larger_than_its_tier_bears(rule):
    tier = next(tier for tier in TIERS if tier.name == rule.tier)
    spec, published = get_spec(rule.encoder), get_published(rule.encoder)
    assert spec.parameters <= tier.most_parameters
    assert 2 * spec.parameters <= (tier.gpu_gb or 100) * GB / 2  # in fp16, half of the memory is left for pictures
    plan = plan_setup(published, Hardware(cpus=2), Runtime(weights=Path("/nowhere")))
    assert plan.memory_bytes <= (tier.memory_gb or 8) * GB


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_what_a_rule_says_of_figures_and_sizes_is_so(rule):
    spec, other = get_spec(rule.encoder), get_spec(rule.runner_up)
    figures, others = ({(one.dataset, one.measure): one.value for one in each.figures} for each in (spec, other))
    for measured in figures.keys() & others.keys():
        if "best" in rule.why or "lower" in rule.instead:
            assert figures[measured] > others[measured]
    if "more than twice as large" in rule.instead:
        assert other.parameters > 2 * spec.parameters
    if "three times as large" in rule.instead:
        assert other.parameters / spec.parameters == pytest.approx(3, abs=0.1)
    if "less than half" in rule.instead:
        assert 2 * other.parameters < spec.parameters
    for text, of in ((rule.why, figures), (rule.instead, others)):
        assert bool(of) or "figure" not in text


def test_the_best_published_of_those_that_read_chinese_is_the_best():
    values = {
        spec.name: figure.value
        for spec in map(get_spec, {name for rule in RULES for name in (rule.encoder, rule.runner_up)})
        for figure in spec.figures
        if figure.dataset == "Flickr30K-CN"
    }
    assert max(values, key=values.get) == advise("zh", parse_hardware("gpu-8")).encoder


@pytest.mark.parametrize("rule", RULES, ids=id_of)
def test_why_is_a_sentence_in_both_languages(rule):
    tier = next(tier for tier in TIERS if tier.name == rule.tier)
    why = advise(rule.language, Hardware(cpus=max(tier.cpus, 1), gpus=1, gpu_bytes=tier.gpu_gb * GB)).why
    for language in ("en", "zh"):
        said = why.text(language)
        assert said.startswith(rule.encoder)
        assert rule.runner_up in said
        assert "()" not in said
        assert "（）" not in said
    assert why.text("en") != why.text("zh")


@pytest.mark.parametrize(
    ("free_gb", "tier"), [(0, "gpu-16"), (64, "gpu-16"), (24, "gpu-8"), (17, "gpu-4"), (9, "cpu-8"), (4, "cpu")]
)
def test_without_the_memory_to_export_it_a_smaller_one_is_advised(free_gb, tier):
    hardware = Hardware(cpus=16, memory_bytes=free_gb * GB, gpus=1, gpu_bytes=24 * GB)
    assert find_tier(hardware).name == tier
