"""Which encoder to take: a table of rules, by the languages of the queries and by what it is to run on.

A rule names an encoder and the runner-up, and says why. What it says of figures and sizes stands in their specs; no
rule names an encoder whose licence has to be accepted first. The order of the table's tiers is that of their cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.encoders.registry import get_spec
from models.encoders.spec import EncoderSpec
from models.foundation.hardware import GB, Hardware
from models.foundation.messages import NOTHING, Message, Readable, Word, join, mark, message, verbatim

LANGUAGES: Mapping[str, tuple[str, ...]] = {"zh": ("zh",), "en": ("en",), "both": ("zh", "en")}


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareTier:
    """What a tier of hardware has at least, and the parameters that an encoder may have on it."""

    name: str
    cpus: int = 0
    gpu_gb: int = 0
    memory_gb: int = 0  # of the machine, free: an export holds the encoder several times over
    most_parameters: int


# The most demanding first; the last has no demands.
TIERS = (
    HardwareTier(name="gpu-16", gpu_gb=16, memory_gb=32, most_parameters=2_000_000_000),
    HardwareTier(name="gpu-8", gpu_gb=8, memory_gb=20, most_parameters=1_200_000_000),
    HardwareTier(name="gpu-4", gpu_gb=4, memory_gb=16, most_parameters=900_000_000),
    HardwareTier(name="cpu-8", cpus=8, memory_gb=8, most_parameters=410_000_000),
    HardwareTier(name="cpu", most_parameters=400_000_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceRule:
    """The encoder for a language and a tier, and the runner-up; `why` the one, and `instead` what the other has.

    Both texts may name the published `figure` of the encoder and the `other_figure` of the runner-up.
    """

    language: str
    tier: str
    encoder: str
    runner_up: str
    why: str
    instead: str


_CHINESE_CHEAP = mark("it is made for Chinese ({figure}), and cheap enough for a few processors")
_CHINESE_PROCESSORS = mark("it is made for Chinese ({figure}), and no larger than processors can bear")
_CHINESE_SMALL_GPU = mark("it is made for Chinese ({figure}), and leaves a small GPU room for pictures")
_CHINESE_BEST = mark("of those that read Chinese it has the best published figures ({figure})")
_ENGLISH_CHEAP = mark("it is made for English first, and cheap enough for a few processors")
_ENGLISH_PROCESSORS = mark("it is made for English first, and sees more of a picture than the cheapest of its kind")
_ENGLISH_SMALL_GPU = mark("it is made for English first, and leaves a small GPU room for pictures")
_ENGLISH_LARGE = mark("it is made for English first, with strong published figures ({figure})")
_ENGLISH_BEST = mark("it is made for English first, with the best published figures of its kind ({figure})")
_BOTH_CHEAP = mark("it is made for Chinese and English alike, and the cheapest that is")
_BOTH_SMALL_GPU = mark("it is made for Chinese and English alike, and fits a small GPU")
_BOTH_LARGE = mark("it is made for Chinese and English alike, with strong published figures ({figure})")

_READS_BOTH = mark("it reads English as well and is trained for detail, at a higher cost a picture")
_LARGE_BOTH = mark("it reads English as well and is trained for detail, but is more than twice as large")
_OTHER_CHINESE = mark("it is smaller, with lower figures ({other_figure})")
_AND_CHINESE = mark("it reads Chinese as well and is trained for detail, at a higher cost a picture")
_LARGER_ENGLISH = mark("it has strong published figures ({other_figure}), but is three times as large")
_BILINGUAL = mark("it reads Chinese just as well and is trained for detail ({other_figure})")
_SMALLER_ENGLISH = mark("it is smaller, and nearly as good by published figures ({other_figure})")
_FEWER_PATCHES = mark("it costs less a picture, and is made for English first")
_SMALLER_BOTH = mark("it is less than half as large")
_ENGLISH_FIRST = mark("it is made for English first ({other_figure})")


def _rule(language: str, tier: str, encoder: str, why: str, runner_up: str, instead: str) -> AdviceRule:
    return AdviceRule(language=language, tier=tier, encoder=encoder, runner_up=runner_up, why=why, instead=instead)


_B16, _L14, _L14_336 = "chinese-clip-vit-b-16", "chinese-clip-vit-l-14", "chinese-clip-vit-l-14-336"
_H14 = "chinese-clip-vit-h-14"
_FG_BASE, _FG_LARGE, _FG_SO400M = "fg-clip2-base", "fg-clip2-large", "fg-clip2-so400m"
_SIGLIP_224, _SIGLIP_256 = "siglip2-base-patch16-224", "siglip2-base-patch16-256"
_SIGLIP_SO400M, _SIGLIP_GIANT = "siglip2-so400m-patch16-384", "siglip2-giant-opt-patch16-384"

RULES = (
    _rule("zh", "cpu", _B16, _CHINESE_CHEAP, _FG_BASE, _READS_BOTH),
    _rule("zh", "cpu-8", _L14, _CHINESE_PROCESSORS, _FG_BASE, _READS_BOTH),
    _rule("zh", "gpu-4", _L14_336, _CHINESE_SMALL_GPU, _FG_LARGE, _LARGE_BOTH),
    _rule("zh", "gpu-8", _FG_SO400M, _CHINESE_BEST, _H14, _OTHER_CHINESE),
    _rule("zh", "gpu-16", _FG_SO400M, _CHINESE_BEST, _H14, _OTHER_CHINESE),
    _rule("en", "cpu", _SIGLIP_224, _ENGLISH_CHEAP, _FG_BASE, _AND_CHINESE),
    _rule("en", "cpu-8", _SIGLIP_256, _ENGLISH_PROCESSORS, _FG_BASE, _AND_CHINESE),
    _rule("en", "gpu-4", _SIGLIP_256, _ENGLISH_SMALL_GPU, _SIGLIP_SO400M, _LARGER_ENGLISH),
    _rule("en", "gpu-8", _SIGLIP_SO400M, _ENGLISH_LARGE, _FG_SO400M, _BILINGUAL),
    _rule("en", "gpu-16", _SIGLIP_GIANT, _ENGLISH_BEST, _SIGLIP_SO400M, _SMALLER_ENGLISH),
    _rule("both", "cpu", _FG_BASE, _BOTH_CHEAP, _SIGLIP_224, _FEWER_PATCHES),
    _rule("both", "cpu-8", _FG_BASE, _BOTH_CHEAP, _SIGLIP_256, _FEWER_PATCHES),
    _rule("both", "gpu-4", _FG_LARGE, _BOTH_SMALL_GPU, _FG_BASE, _SMALLER_BOTH),
    _rule("both", "gpu-8", _FG_SO400M, _BOTH_LARGE, _SIGLIP_SO400M, _ENGLISH_FIRST),
    _rule("both", "gpu-16", _FG_SO400M, _BOTH_LARGE, _SIGLIP_GIANT, _ENGLISH_FIRST),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The encoder to take, the runner-up, and a sentence that says why."""

    encoder: str
    runner_up: str
    why: Message


def find_tier(hardware: Hardware) -> HardwareTier:
    """Return the most demanding tier whose demands are met; memory that is not known meets all."""
    return next(
        tier
        for tier in TIERS
        if hardware.cpus >= tier.cpus
        and hardware.gpu_bytes >= tier.gpu_gb * GB
        and (not hardware.memory_bytes or hardware.memory_bytes >= tier.memory_gb * GB)
    )


def advise(language: str, hardware: Hardware) -> Advice:
    """Return what the rules say for "zh", "en" or "both". Raises KeyError for another language."""
    tier = find_tier(hardware).name
    rule = {(one.language, one.tier): one for one in RULES}[language, tier]
    figures = {
        "figure": describe_figure(rule.encoder, language),
        "other_figure": describe_figure(rule.runner_up, language),
    }
    why = message(
        "{encoder}: {why}. Runner-up: {runner_up}: {instead}.",
        encoder=rule.encoder,
        why=Message(rule.why, figures),
        runner_up=rule.runner_up,
        instead=Message(rule.instead, figures),
    )
    return Advice(encoder=rule.encoder, runner_up=rule.runner_up, why=why)


def describe_figure(encoder: str, language: str) -> Readable:
    """Return a published figure of an encoder, of a language's own data set where there is one; nothing without any."""
    spec: EncoderSpec = get_spec(encoder)
    chinese = [one for one in spec.figures if one.dataset.endswith("-CN")]
    other = [one for one in spec.figures if one not in chinese]
    shown = {"zh": chinese[:1] or other[:1], "en": other[:1] or chinese[:1], "both": chinese[:1] + other[:1]}[language]
    said = [
        message("{dataset}, {measure}: {value:.1f} %", dataset=one.dataset, measure=Word(one.measure), value=one.value)
        for one in shown
    ]
    return join([part for one in said for part in (verbatim("; "), one)][1:]) if said else NOTHING
