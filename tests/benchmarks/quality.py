"""How well the right pictures are found: text to picture, names of things, presence, relevance, negation, and what
that costs.

XUNTU_BENCH_PICTURES             a training pack: a folder of shards with index.jsonl (see training/starter/pack.py)
XUNTU_BENCH_WORDS                word lists, if there are any (see training/starter/lexicon.py)

Only pictures that the built-in encoder has not learned from are searched for. Every figure comes from the functions of
`xuntu evaluate` or from the search itself, with each addition to the bare cosine alone, and as a search does it.
"""

import os
from pathlib import Path

import quality_additions
import quality_captions
import quality_demo
import quality_generations
import quality_latency
import quality_names
import quality_negation
import quality_relevance
from processes import Bench, say
from quality_sets import ensure_held_out
from tables import Table

from models.encoders.registry import DEFAULT_ENCODER, get_spec


def measure(bench: Bench) -> list[Table]:
    """Measure all of it, where there is a training pack."""
    source = Path(os.environ.get("XUNTU_BENCH_PICTURES", ""))
    if not (source / "index.jsonl").exists():
        say("quality: set XUNTU_BENCH_PICTURES to a training pack, a folder of shards with index.jsonl")
        return []
    folder = bench.folder / f"quality-{get_spec(DEFAULT_ENCODER).fingerprint}"
    held_out = ensure_held_out(bench, source, folder)
    return [
        *quality_captions.measure(held_out),
        *quality_names.measure(held_out),
        *quality_relevance.measure(held_out.unseen_among_others),
        quality_demo.measure(bench),
        *quality_generations.measure(held_out),
        quality_negation.measure(held_out.captioned),
        quality_additions.measure(held_out),
        quality_latency.measure(bench, source, folder / "large"),
    ]
