"""What was tried on top of the cosine, and is in the product only where it gained something that held.

XUNTU_BENCH_WORDS                word lists (see training/starter/lexicon.py), for what is said in other words
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from processes import say
from quality_sets import CAPTIONS, NAMES, HeldOut, Shelf
from quality_ways import RAW, WAYS, cells, difference
from tables import Table

from api.evaluation.data.datasets import ClassSet
from api.evaluation.encoding import encode_pictures, encode_texts
from api.evaluation.measures.ranking import rank_all, rank_first
from api.evaluation.measures.samples import KS, Precisions, Ranks, Sample
from api.evaluation.tasks.outcome import load_text_encoder
from indexer.library.index.hub_offsets import WeightedQueries, with_offsets
from indexer.library.vectors.query_bank import Offsets, QueryBank
from indexer.pipeline.query_bank import encode_query_bank
from models.encoders.encoder import TextEncoder
from models.foundation.vectors import Vectors, l2_normalize
from models.training.starter.lexicon import Lexicon

_SHARE = 0.5  # of the hub correction, where an encoder has none of its own
_ALPHA, _NEAREST = 0.75, 128  # of nearest-neighbour normalisation (Chowdhury and others 2024)
_OTHER_WORDS = 3  # synonyms at most, and translations
_COSINE = "raw cosine"


def measure(held_out: HeldOut) -> Table:
    """Compare each addition with the cosine alone, query by query paired."""
    say("additions")
    encoding = WAYS[RAW].encoding
    tower = load_text_encoder(encoding)
    bank = encode_query_bank(tower)
    rows = []
    for title, every in _list_asked(held_out):
        pictures = encode_pictures(every.shelf.files, encoding, lambda *_: None).vectors
        vectors = encode_texts(every.texts, tower, encoding, lambda *_: None)
        asked = every.among(vectors.places)
        texts = vectors.vectors
        found = {_COSINE: asked.rank(texts, pictures)}
        for name, offsets in _offsets(bank, pictures).items():
            queries = WeightedQueries.of(texts, 1.0).as_rows(pictures.shape[1] + 1)
            found[name] = asked.rank(queries, with_offsets(pictures, offsets))
        for name, others in _in_other_words(asked.texts).items() if asked.are_names else ():
            found[name] = asked.rank(_averaged(texts, others, tower), pictures)
        plain = found.pop(_COSINE)
        rows += [
            (title, name, asked.measure, *cells(plain, asked.measure), difference(sample, plain, asked.measure))
            for name, sample in found.items()
        ]
    return Table(
        title="Additions that were tried",
        head=("asked", "added", "measure", "raw cosine", "change"),
        rows=rows,
        notes=(
            f"Hub correction: share {_SHARE}. Nearest-neighbour normalisation: {_ALPHA} of the mean of {_NEAREST}.",
            f"Both with {len(bank.vectors):,} ordinary queries. Other words: the mean with at most {_OTHER_WORDS}.",
        ),
    )


@dataclass(frozen=True, eq=False)
class _Asked:
    """Texts, and the rows of a shelf's pictures that answer each; `groups` are drawn together."""

    shelf: Shelf
    texts: Sequence[str]
    right: Sequence[np.ndarray]
    groups: np.ndarray
    are_names: bool

    @property
    def measure(self) -> str:
        """What is compared."""
        return "map" if self.are_names else "recall@10"

    def among(self, places: np.ndarray) -> "_Asked":
        """Return the same of some texts."""
        texts, right = [self.texts[place] for place in places], [self.right[place] for place in places]
        return replace(self, texts=texts, right=right, groups=self.groups[places])

    def rank(self, queries: Vectors, pictures: Vectors) -> Sample:
        """Rank all pictures for every text."""
        if not self.are_names:
            return Ranks(self.groups, rank_first(queries, pictures, self.right))
        found = rank_all(queries, pictures, self.right, KS)
        return Precisions(self.groups, found.average, found.at_k)


def _list_asked(held_out: HeldOut) -> Iterable[tuple[str, _Asked]]:
    for language, title in CAPTIONS.items():
        captions = [one for one in held_out.captions.captions if one.language == language]
        right = [np.array(one.pictures) for one in captions]
        yield (
            f"captions: {title}",
            _Asked(
                held_out.captioned,
                [one.text for one in captions],
                right,
                np.array([one.pictures[0] for one in captions]),
                are_names=False,
            ),
        )
    for kind, shelf, classes in (
        ("names", held_out.named, held_out.classes),
        ("unseen names", held_out.unseen, held_out.unseen_classes),
    ):
        for language, title in NAMES.items():
            yield f"{kind}: {title}", _names(shelf, classes, language)


def _names(shelf: Shelf, classes: ClassSet, language: str) -> _Asked:
    names = [one for one in classes.names if one.language == language]
    members = np.array(classes.members)
    right = [np.flatnonzero(np.isin(members, one.classes)) for one in names]
    groups = np.array([one.classes[0] for one in names])
    return _Asked(shelf, [one.text for one in names], right, groups, are_names=True)


def _offsets(bank: QueryBank, pictures: Vectors) -> Mapping[str, Offsets]:
    best = np.sort(pictures @ bank.vectors.T, axis=1)[:, -_NEAREST:]
    return {
        "hub correction": replace(bank, share=_SHARE).measure(pictures),
        "nearest-neighbour normalisation": (-_ALPHA * best.mean(axis=1)).astype(np.float32),
    }


def _in_other_words(texts: Sequence[str]) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return the synonyms and the translations of words, the common ones first, where there are word lists."""
    folder = Path(os.environ.get("XUNTU_BENCH_WORDS", ""))
    if not (folder / "cedict_ts.u8").exists():
        return {}
    chinese, english = defaultdict(list), defaultdict(list)
    for zh, en in Lexicon(folder).dictionary:
        chinese[en.lower()].append(zh)
        english[zh].append(en.lower())
    there = {**english, **chinese}  # a word -> its translations
    translated = [list(dict.fromkeys(there.get(text.lower(), ())))[:_OTHER_WORDS] for text in texts]
    synonyms = [
        list(dict.fromkeys(word for other in others for word in there.get(other, ()) if word != text))[:_OTHER_WORDS]
        for text, others in zip(texts, translated, strict=True)
    ]
    return {"synonyms": synonyms, "translated, then the mean": translated}


def _averaged(texts: Vectors, others: Sequence[Sequence[str]], tower: TextEncoder) -> Vectors:
    """Return each vector averaged with the mean of those of other words that the tower knows."""
    known = [[word for word in words if tower.read_text(word).known] for words in others]
    rows = [
        vector if not words else (vector + l2_normalize(tower.encode_text(words).mean(axis=0, keepdims=True))[0]) / 2
        for vector, words in zip(texts, known, strict=True)
    ]
    return l2_normalize(np.stack(rows))
