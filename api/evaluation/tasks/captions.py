"""Captions and pictures find each other."""

from collections.abc import Sequence

import numpy as np

from api.evaluation.data.datasets import CaptionSet
from api.evaluation.encoding import EncodedPictures, EncodedTexts, Encoding, encode_pictures, encode_texts
from api.evaluation.errors import PicturesMissing
from api.evaluation.measures.ranking import OnStep, Positions, rank_first
from api.evaluation.measures.samples import Ranks, number_groups
from api.evaluation.results import ALL, by_language, make_result
from api.evaluation.tasks.outcome import Outcome, as_searched, list_file_names, load_text_encoder, name_failures
from api.evaluation.unknown import count_among, spread
from models.foundation.vectors import Vectors


def evaluate_captions(data: CaptionSet, encoding: Encoding, on_step: OnStep, *, allow_missing: bool = False) -> Outcome:
    """Rank all pictures for captions, and captions for the pictures that have some, in each language.

    A caption is found at the best rank of any of its pictures, and a picture at that of any of its captions, which is
    how Chinese-CLIP's own evaluation counts. Raises PicturesMissing, NoTextTower and what loading an encoder raises.
    """
    if data.missing and not allow_missing:
        raise PicturesMissing(data.missing)
    tower = load_text_encoder(encoding)
    pictures = encode_pictures(data.pictures, encoding, on_step)
    rows = _rows_of(pictures, len(data.pictures))
    answers = [kept[kept >= 0] for kept in (rows[list(caption.pictures)] for caption in data.captions)]
    captions = [caption for caption, kept in zip(data.captions, answers, strict=True) if len(kept)]
    right = [kept for kept in answers if len(kept)]
    texts = encode_texts([caption.text for caption in captions], tower, encoding, on_step)
    asked, gallery = as_searched(texts, pictures.vectors, tower, encoding)
    found = rank_first(asked.vectors, gallery, [right[place] for place in texts.places], on_step=on_step)
    ranks = spread(found, texts.places, len(captions), np.inf)
    names = list_file_names(data.pictures, pictures)
    results, backwards = [], []
    for language, chosen in by_language([caption.language for caption in captions]):
        facts = [names, *([captions[place].text, right[place].tolist()] for place in chosen)]
        groups = number_groups([int(right[place][0]) for place in chosen])
        answering = np.unique(np.concatenate([right[place] for place in chosen]))
        unknown = count_among(texts.places, chosen)
        results.append(
            make_result(
                "text->image",
                language,
                Ranks(groups, ranks[chosen]),
                gallery=len(names),
                facts=facts,
                unknown=unknown,
                distractors=len(names) - len(answering),
            )
        )
        if language != ALL:  # texts of two languages in one ranking would be another task
            sample = _rank_captions(pictures.vectors, texts, chosen, [right[place] for place in chosen], on_step)
            backwards.append(
                make_result("image->text", language, sample, gallery=len(chosen), facts=facts, unknown=unknown)
            )
    left_out = {"missing": len(data.missing), "unanswered": data.unanswered, "unreadable": len(pictures.failures)}
    return Outcome(results=results + backwards, left_out=left_out, unreadable=name_failures(data.pictures, pictures))


def _rank_captions(
    pictures: Vectors, texts: EncodedTexts, chosen: Positions, right: Sequence[Positions], on_step: OnStep
) -> Ranks:
    """Rank the `chosen` texts for each picture that one of them belongs to; `right` are the pictures of each."""
    rows = np.flatnonzero(np.isin(texts.places, chosen))  # of their vectors
    row_of = {place: row for row, place in enumerate(texts.places[rows].tolist())}
    described: dict[int, list[int]] = {}
    for place, kept in zip(chosen.tolist(), right, strict=True):
        for picture in kept.tolist():
            described.setdefault(picture, []).extend([row_of[place]] if place in row_of else [])
    queries = sorted(described)
    answers = [np.array(described[picture], np.int64) for picture in queries]
    ranks = rank_first(pictures[queries], texts.vectors[rows], answers, on_step=on_step)
    return Ranks(np.arange(len(queries)), ranks)


def _rows_of(encoded: EncodedPictures, count: int) -> Positions:
    """Return the row of each picture's vector, -1 where it has none."""
    rows = np.full(count, -1, np.int64)
    rows[encoded.places] = np.arange(len(encoded.places))
    return rows
