"""A data set and an encoder -> results: captions and pictures, classes of pictures, and their names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from api.evaluation.data.datasets import CaptionSet, ClassName, ClassSet, Picture
from api.evaluation.encoding import EncodedPictures, EncodedTexts, Encoding, encode_pictures, encode_texts
from api.evaluation.errors import PicturesMissing
from api.evaluation.labelled import Labelled, label_names, label_pictures
from api.evaluation.measures.ranking import OnStep, Positions, best_by_class, rank_classes, rank_first
from api.evaluation.measures.samples import KS, Precisions, Presence, Ranks, number_groups
from api.evaluation.results import ALL, NONE, Result, make_result
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.library.opened import check_same
from indexer.pipeline.query_bank import encode_query_bank
from models.encoders.encoder import TextEncoder
from models.encoders.registry import load_text_encoder
from models.foundation.vectors import Vectors
from models.pictures.errors import DecodeError
from models.relevance.curves import Kind
from models.relevance.reference_pictures import Reference

_SEED = 0
UNKNOWN_SCORE = -2.0  # of a text of which no word is known: no score is lower, hubs corrected or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Results, what was left out of them by reason, and the pictures among that which could not be read.

    `labelled` are first hits that are known to be right or wrong, where they were asked for.
    """

    results: list[Result]
    left_out: dict[str, int]
    unreadable: list[DecodeError]
    labelled: Mapping[Kind, Labelled] = field(default_factory=dict)


def evaluate_captions(data: CaptionSet, encoding: Encoding, on_step: OnStep, *, allow_missing: bool = False) -> Outcome:
    """Rank pictures for captions, and captions for pictures, in each language.

    A caption is found at the best rank of any of its pictures, and a picture at that of any of its captions, which is
    how Chinese-CLIP's own evaluation counts. Raises PicturesMissing, NoTextTower and what loading an encoder raises.
    """
    if data.missing and not allow_missing:
        raise PicturesMissing(data.missing)
    tower = _load_text_encoder(encoding)
    pictures = encode_pictures(data.pictures, encoding, on_step)
    rows = _rows_of(pictures, len(data.pictures))
    answers = [kept[kept >= 0] for kept in (rows[list(caption.pictures)] for caption in data.captions)]
    captions = [caption for caption, kept in zip(data.captions, answers, strict=True) if len(kept)]
    right = [kept for kept in answers if len(kept)]
    texts = encode_texts([caption.text for caption in captions], tower, encoding, on_step)
    ranks = np.full(len(captions), np.inf)
    asked, gallery = _as_searched(texts, pictures.vectors, tower, encoding)
    ranks[texts.places] = rank_first(asked.vectors, gallery, [right[place] for place in texts.places], on_step=on_step)
    names = _names(data.pictures, pictures)
    results, backwards = [], []
    for language, chosen in by_language([caption.language for caption in captions]):
        facts = [names, *([captions[place].text, right[place].tolist()] for place in chosen)]
        groups = number_groups([int(right[place][0]) for place in chosen])
        results.append(
            make_result(
                "text->image",
                language,
                Ranks(groups, ranks[chosen]),
                gallery=len(names),
                facts=facts,
                unknown=len(chosen) - int(np.isin(chosen, texts.places).sum()),
            )
        )
        if language != ALL:  # texts of two languages in one ranking would be another task
            sample = _rank_captions(pictures.vectors, texts, chosen, [right[place] for place in chosen], on_step)
            backwards.append(make_result("image->text", language, sample, gallery=len(chosen), facts=facts))
    left_out = {"missing": len(data.missing), "unanswered": data.unanswered, "unreadable": len(pictures.failures)}
    return Outcome(results=results + backwards, left_out=left_out, unreadable=_name_failures(data.pictures, pictures))


def evaluate_classes(
    data: ClassSet, encoding: Encoding, on_step: OnStep, *, label: bool = False, reference: Reference | None = None
) -> Outcome:
    """Rank the other pictures for each picture, by class; and with a text tower, by the names of classes.

    With `label`, the first hits are labelled right or wrong, for relevance to be fitted on, with `reference` to levels.

    Raises what loading an encoder raises.
    """
    tower = _load_text_encoder(encoding) if encoding.spec.languages else None
    pictures = encode_pictures(data.pictures, encoding, on_step)
    classes = np.array(data.members, np.int64)[pictures.places]
    average, at_k, asked = rank_classes(pictures.vectors, classes, KS, on_step=on_step)
    facts = [_names(data.pictures, pictures), classes.tolist()]
    results = []
    if len(asked):
        sample = Precisions(np.arange(len(asked)), average, at_k)
        results.append(make_result("image->image", NONE, sample, gallery=len(classes) - 1, facts=facts))
    labelled: dict[Kind, Labelled] = {}
    if label and len(asked):
        labelled["picture"] = label_pictures(pictures.vectors, classes, on_step, reference=reference)
    if tower is not None:
        present = set(classes.tolist())
        names = [name for name in data.names if not present.isdisjoint(name.classes)]
        texts = encode_texts([name.text for name in names], tower, encoding, on_step)
        texts, gallery = _as_searched(texts, pictures.vectors, tower, encoding)
        results += _find_by_name(names, texts, gallery, classes, facts, on_step)
        results += _tell_presence(names, texts, gallery, classes, facts, on_step)
        if label:
            known = [names[place] for place in texts.places]
            labelled |= label_names(known, texts.vectors, gallery, classes, on_step, reference=reference)
    return Outcome(
        results=results,
        left_out={"alone": len(classes) - len(asked), "unreadable": len(pictures.failures)},
        unreadable=_name_failures(data.pictures, pictures),
        labelled=labelled,
    )


def by_language(languages: Sequence[str]) -> Iterator[tuple[str, Positions]]:
    """Yield each language with the places it has, and where there are several, ALL with every place."""
    known = sorted(set(languages))
    for language in known:
        yield language, np.flatnonzero([one == language for one in languages])
    if len(known) > 1:
        yield ALL, np.arange(len(languages))


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


def _find_by_name(
    names: Sequence[ClassName],
    texts: EncodedTexts,
    pictures: Vectors,
    classes: Positions,
    facts: Sequence[object],
    on_step: OnStep,
) -> Iterator[Result]:
    """Rank pictures for names: any picture of the class is a right answer."""
    right = [np.flatnonzero(np.isin(classes, name.classes)) for name in names]
    ranks = np.full(len(names), np.inf)
    ranks[texts.places] = rank_first(texts.vectors, pictures, [right[place] for place in texts.places], on_step=on_step)
    for language, chosen in by_language([name.language for name in names]):
        groups = number_groups([names[place].classes[0] for place in chosen])
        yield make_result(
            "name->image",
            language,
            Ranks(groups, ranks[chosen]),
            gallery=len(classes),
            facts=[*facts, *([names[place].text, names[place].classes] for place in chosen)],
            unknown=len(chosen) - int(np.isin(chosen, texts.places).sum()),
        )


def _tell_presence(
    names: Sequence[ClassName],
    texts: EncodedTexts,
    pictures: Vectors,
    classes: Positions,
    facts: Sequence[object],
    on_step: OnStep,
) -> Iterator[Result]:
    """Ask for every name in a gallery of half of the classes, drawn once, and again in one of the other half.

    So each name is asked for once where there is such a thing and once where there is none.
    """
    there = np.unique(classes)
    halves = np.isin(there, np.random.default_rng(_SEED).permutation(there)[: len(there) // 2])
    count = int(classes.max(initial=-1)) + 1
    best = np.full((len(names), count), UNKNOWN_SCORE, np.float32)
    best[texts.places] = best_by_class(texts.vectors, pictures, classes, count, on_step=on_step)
    galleries = [there[halves], there[~halves]]
    if not all(map(len, galleries)):
        return
    scores = np.array([best[:, gallery].max(axis=1) for gallery in galleries], np.float64)
    present = np.array([[bool(np.isin(name.classes, gallery).any()) for name in names] for gallery in galleries])
    for language, chosen in by_language([name.language for name in names]):
        groups = number_groups([names[place].classes[0] for place in chosen])
        yield make_result(
            "presence",
            language,
            Presence(np.tile(groups, 2), scores[:, chosen].ravel(), present[:, chosen].ravel()),
            gallery=int(np.isin(classes, galleries[0]).sum()),
            facts=[*facts, *([names[place].text, names[place].classes] for place in chosen)],
        )


def _as_searched(
    texts: EncodedTexts, pictures: Vectors, tower: TextEncoder, encoding: Encoding
) -> tuple[EncodedTexts, Vectors]:
    """Return texts, and pictures, whose inner product is the score that a search ranks pictures for texts by."""
    if not encoding.corrects_hubs:
        return texts, pictures
    offsets = encode_query_bank(tower).measure(pictures)
    queries = WeightedQueries.of(texts.vectors, 1.0).as_rows(pictures.shape[1] + 1)
    return EncodedTexts(queries, texts.places), with_offsets(pictures, offsets)


def _load_text_encoder(encoding: Encoding) -> TextEncoder:
    tower = load_text_encoder(encoding.spec.name, encoding.runtime)
    check_same(encoding.spec, tower.spec)
    return tower


def _rows_of(encoded: EncodedPictures, count: int) -> Positions:
    """Return the row of each picture's vector, -1 where it has none."""
    rows = np.full(count, -1, np.int64)
    rows[encoded.places] = np.arange(len(encoded.places))
    return rows


def _names(pictures: Sequence[Picture], encoded: EncodedPictures) -> list[str]:
    """Return the file names of pictures; in which folder or shard they lie is not part of a data set."""
    return [PurePosixPath(pictures[place].name).name for place in encoded.places]


def _name_failures(pictures: Sequence[Picture], encoded: EncodedPictures) -> list[DecodeError]:
    return [error.named(pictures[place].name) for place, error in encoded.failures.items()]
