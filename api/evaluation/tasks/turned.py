"""Pictures that are turned by 90, 180 and 270 degrees ask for their original: how little it matters how one is held."""

from collections.abc import Mapping, Sequence

import numpy as np

from api.evaluation.data.datasets import Picture
from api.evaluation.encoding import Encoding, encode_pictures
from api.evaluation.measures.ranking import OnStep, nearest_scores, rank_first
from api.evaluation.measures.samples import Ranks
from api.evaluation.results import NONE, Result, make_result
from api.evaluation.tasks.outcome import Outcome, list_file_names, name_failures
from api.search.turns import ANGLES, choose_turns
from models.foundation.vectors import Vectors


def evaluate_turned(data: Sequence[Picture], encoding: Encoding, on_step: OnStep) -> Outcome:
    """Rank all pictures for each of them as it is turned; its original is the right answer, and so is a copy of it.

    There is a result for each angle, and one for all of them, whose interval draws pictures. R@1 is the share whose
    original is found first. Copies are pictures of which the encoder sees the same pixels. Where a search looks
    for a picture in every turn, so does this. Raises what loading the image tower raises.
    """
    pictures = encode_pictures(data, encoding, on_step)
    _, same = np.unique(np.array(pictures.digests, np.bytes_), return_inverse=True)
    right = [np.flatnonzero(same == number) for number in same.tolist()]
    facts = [list_file_names(data, pictures)]
    groups = np.arange(len(right))
    turned = {0: pictures.vectors}
    for degrees in ANGLES if right else ():
        read = [data[place] for place in pictures.places]
        turned[degrees] = encode_pictures(read, encoding, on_step, turned_by=degrees).vectors
    asked = [_as_asked(turned, degrees, encoding.spec.turned_cosine) for degrees in ANGLES if right]
    found = [rank_first(vectors, pictures.vectors, right, on_step=on_step) for vectors in asked]
    results: list[Result] = [
        make_result(f"turned {degrees}", NONE, Ranks(groups, ranks), gallery=len(right), facts=facts)
        for degrees, ranks in zip(ANGLES, found, strict=False)
    ]
    if found:
        together = Ranks(np.tile(groups, len(ANGLES)), np.concatenate(found))
        results.append(make_result("turned", NONE, together, gallery=len(right), facts=facts))
    return Outcome(
        results=results, left_out={"unreadable": len(pictures.failures)}, unreadable=name_failures(data, pictures)
    )


def _as_asked(turned: Mapping[int, Vectors], degrees: int, turned_cosine: float | None) -> Vectors:
    """Return the vectors that pictures turned by some degrees ask with, of those of all turns; see turns.py."""
    if turned_cosine is None:
        return turned[degrees]
    turns = np.stack([turned[(degrees + more) % 360] for more in (0, *ANGLES)])  # (4, n, dim)
    best = np.stack([nearest_scores(vectors, turned[0]) for vectors in turns], axis=1)
    return turns[choose_turns(best, turned_cosine), np.arange(len(best))]
