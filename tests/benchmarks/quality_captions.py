"""How well captions find their picture, in three kinds of captions of the same pictures."""

from functools import partial

from quality_sets import CAPTIONS, HeldOut
from quality_ways import DEFAULT, RAW, WAYS, Samples, Way, cells, changes, difference, figures, in_each_way
from tables import Table

from api.evaluation.data.datasets import CaptionSet
from api.evaluation.measures.samples import Sample
from api.evaluation.tasks.captions import evaluate_captions
from models.encoders.registry import DEFAULT_ENCODER, get_spec

_RECALLS = ("recall@1", "recall@5", "recall@10")


def measure(held_out: HeldOut) -> list[Table]:
    """Have every caption find its picture in each way."""
    asked = held_out.captions
    samples = in_each_way("captions", partial(_search, asked))
    rows = [
        (title, way, *cells(samples[way][language], *_RECALLS), *changes(samples, way, language, "recall@10"))
        for language, title in CAPTIONS.items()
        for way in WAYS
    ]
    counts = ", ".join(f"{len(samples[RAW][language].groups):,} {title}" for language, title in CAPTIONS.items())
    notes = (
        f"Encoder of the space {get_spec(DEFAULT_ENCODER).space}; {len(asked.pictures)} pictures; captions: {counts}.",
        "Per cent, with 95 % intervals of a bootstrap that draws pictures; changes are paired, query by query.",
    )
    head = ("captions", "searched by", "R@1", "R@5", "R@10", "change of R@10")
    table = Table(title="Text to picture", head=head, rows=rows, notes=notes, facts=figures(samples))
    return [table, _parity(samples)]


def _search(captions: CaptionSet, way: Way) -> dict[str, Sample]:
    results = evaluate_captions(captions, way.encoding, lambda *_: None).results
    return {one.language: one.sample for one in results if one.task == "text->image"}


def _parity(samples: Samples) -> Table:
    """Compare English with Chinese captions; the same pictures are drawn for both."""
    ways = (RAW, DEFAULT)
    rows = [
        (title, *(difference(samples[way]["en"], samples[way][language], "recall@10") for way in ways))
        for language, title in CAPTIONS.items()
        if language != "en"
    ]
    return Table(title="Parity of languages", head=("R@10 of English captions minus", *ways), rows=rows)
