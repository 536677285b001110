"""Captioners that are published: what they are, and what they are asked."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

CaptionLanguage: TypeAlias = Literal["zh", "en"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionerSpec:
    """A captioner. Its files lie in a folder of its name among the weights, as its authors publish them.

    `kind` is what its configuration calls the architecture, `model` and `processor` are the classes of transformers.
    `tasks` are what a model is asked that knows no other questions, for a short and a descriptive caption; others take
    a prompt. `beams`: how many sentences are followed at once.
    """

    name: str
    kind: str
    model: str
    processor: str
    languages: tuple[CaptionLanguage, ...]
    repository: str
    license: str
    parameters: int
    tasks: tuple[str, ...] = ()
    beams: int = 1


SPECS = (
    CaptionerSpec(
        name="florence-2",
        kind="florence2",
        model="Florence2ForConditionalGeneration",
        processor="Florence2Processor",
        languages=("en",),
        repository="florence-community/Florence-2-base",
        license="MIT",
        parameters=231_000_000,
        tasks=("<CAPTION>", "<MORE_DETAILED_CAPTION>"),
        beams=3,
    ),
    CaptionerSpec(
        name="qwen3-vl-2b",
        kind="qwen3_vl",
        model="Qwen3VLForConditionalGeneration",
        processor="Qwen3VLProcessor",
        languages=("zh", "en"),
        repository="Qwen/Qwen3-VL-2B-Instruct",
        license="Apache-2.0",
        parameters=2_127_000_000,
    ),
)


def find_captioner(name: str) -> CaptionerSpec | None:
    """Return the captioner of that name; None if there is none."""
    return next((spec for spec in SPECS if spec.name == name), None)
