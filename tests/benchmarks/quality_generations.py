"""The built-in encoders side by side, on the same pictures and texts."""

from collections.abc import Iterator

from processes import say
from quality_sets import CAPTIONS, NAMES, HeldOut
from quality_ways import cells, difference
from tables import Table

from api.evaluation.encoding import Encoding
from api.evaluation.measures.samples import Sample
from api.evaluation.results import NONE, Result
from api.evaluation.tasks.captions import evaluate_captions
from api.evaluation.tasks.classes import evaluate_classes
from api.evaluation.tasks.turned import evaluate_turned
from models.encoders.registry import DEFAULT_ENCODER, SUPERSEDED, get_spec
from models.encoders.runtime import Runtime
from models.pictures.limits import DecodeLimits
from models.relevance.reference_pictures import read_reference

_TASKS = {
    "name->image": "pictures by",
    "zero-shot": "naming by",
    "presence": "presence by",
    "presence less level": "presence less level by",
}
_MEASURES = {
    "text->image": ("recall@1", "recall@10"),
    "name->image": ("map", "precision@10"),
    "zero-shot": ("top1",),
    "presence": ("auroc",),
    "presence less level": ("auroc",),
    "image->image": ("map",),
    "turned": ("recall@1",),
}


def measure(held_out: HeldOut) -> list[Table]:
    """Have each of the built-in encoders do everything that `xuntu evaluate` measures."""
    encoders = (*SUPERSEDED, DEFAULT_ENCODER)
    samples = {name: dict(_evaluate(held_out, name)) for name in encoders}
    new = samples[DEFAULT_ENCODER]
    rows = [
        (
            what,
            measured,
            *(cells(samples[name][what, measured], measured)[0] for name in encoders),
            *(difference(new[what, measured], samples[name][what, measured], measured) for name in SUPERSEDED),
        )
        for what, measured in new
        if all((what, measured) in of for of in samples.values())
    ]
    counts = len(held_out.captioned.pictures), len(held_out.named.pictures), len(held_out.unseen.pictures)
    notes = (
        "{:,} pictures with captions, {:,} of things, {:,} of unseen things; as a search ranks.".format(*counts),
        f"Unseen: training of {DEFAULT_ENCODER} saw no picture and no name of these; that of others did.",
        "Per cent, with 95 % intervals; changes are paired.",
    )
    head = ("what", "measure", *encoders, *(f"change from {name}" for name in SUPERSEDED))
    return [Table(title="Generations of the built-in encoder", head=head, rows=rows, notes=notes)]


def _evaluate(held_out: HeldOut, name: str) -> Iterator[tuple[tuple[str, str], Sample]]:
    """Yield (what, measure) and what was found."""
    say(f"generations: {name}")
    encoding = Encoding(spec=get_spec(name), runtime=Runtime(), limits=DecodeLimits(), hub_correction=True)
    named = {
        "text->image": lambda one: f"{CAPTIONS[one.language]} captions",
        **{task: lambda one, what=what: f"{what} {NAMES[one.language]} name" for task, what in _TASKS.items()},
    }

    def told(results: list[Result], prefix: str = "") -> Iterator[tuple[tuple[str, str], Sample]]:
        for one in results:
            if one.language in (*CAPTIONS, *NAMES, NONE) and one.task in _MEASURES:
                what = prefix + named.get(one.task, lambda one: one.task)(one)
                yield from (((what, measured), one.sample) for measured in _MEASURES[one.task])

    yield from told(evaluate_captions(held_out.captions, encoding, lambda *_: None).results)
    reference = read_reference(encoding.spec.fingerprint, encoding.spec.dim)
    for prefix, classes in (("seen: ", held_out.classes), ("unseen: ", held_out.unseen_classes)):
        yield from told(evaluate_classes(classes, encoding, lambda *_: None, reference=reference).results, prefix)
    yield from told(evaluate_turned(held_out.captioned.files, encoding, lambda *_: None).results)
