"""The annotator of labels: which of a person's list fit a picture, told by its vector alone."""

import hashlib
import math
from collections.abc import Generator, Sequence
from functools import cache, cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from indexer.annotators.errors import AnnotatorNotSetUp, LabelsNeedText, LabelsUnknown
from indexer.annotators.labels.fit import LEAST_EXAMPLES, Background, choose_labels, fit_threshold
from indexer.annotators.labels.label_list import FILE, Label, read_labels
from indexer.config import IndexerSettings
from indexer.library.annotated import AnnotatedLibrary, encode_known, load_library_text
from indexer.library.annotations.fields import Choice, Field, FieldType
from indexer.library.annotations.port import IndexedPictures
from indexer.library.annotations.values import Values
from indexer.library.catalog.records import StoredEncoder
from models.encoders.runtime import Runtime
from models.foundation.errors import EncoderError, ImageSearchError
from models.foundation.messages import mark, message
from models.foundation.vectors import Ids, Vectors, l2_normalize
from models.language.text import fold_text

_MOST_EXAMPLES = 20_000  # tagged pictures that thresholds are fitted on


def open_labels(settings: IndexerSettings, library: AnnotatedLibrary) -> "LabelAnnotator":
    """Return the annotator of the labels that a person has listed. Raises AnnotatorNotSetUp or InvalidLabels."""
    path = settings.labels or library.layout.data / FILE
    if settings.labels is None and not path.is_file():
        how = message("write a list of labels, one a line, to {path}, or name one with XUNTU_LABELS", path=path)
        raise AnnotatorNotSetUp(LabelAnnotator.name, how)
    return LabelAnnotator(read_labels(path), library)


class LabelAnnotator:
    """Gives pictures the labels of a list that fit them."""

    name = "label"
    version = 1

    def __init__(self, labels: Sequence[Label], library: AnnotatedLibrary) -> None:
        self.warnings: list[ImageSearchError] = []
        self._labels = labels
        self._library = library

    @property
    def fields(self) -> tuple[Field, ...]:
        """The labels, what else they are called, and how well each fits."""
        choices = tuple(Choice(name=one.name, zh=one.zh, aliases=one.names) for one in self._labels)
        return (
            Field(
                name="label",
                type=FieldType.WORDS,
                label=mark("Labels"),
                searchable=True,
                filterable=True,
                faceted=True,
                choices=choices,
                aliases=("labels",),
            ),
            Field(
                name="label_names", type=FieldType.WORDS, label=mark("Names of labels"), searchable=True, shown=False
            ),
            Field(name="label_scores", type=FieldType.DATA, label=mark("How well labels fit"), shown=False),
        )

    @cached_property
    def state(self) -> str:
        """The list, the encoder, and about how many examples there are of each label."""
        about = [round(4 * math.log2(len(ids))) if len(ids) >= LEAST_EXAMPLES else 0 for ids in self._examples]
        decisive = [(one.names, count) for one, count in zip(self._labels, about, strict=True)]
        return hashlib.sha256(repr((self._library.stored.fingerprint, decisive)).encode()).hexdigest()[:16]

    def most(self, *, is_asked_for: bool) -> int | None:  # noqa: ARG002
        """Return None: it takes moments."""
        return None

    def annotate(self, pictures: IndexedPictures) -> Generator[tuple[int, Values], None, None]:
        """Yield the labels of each picture. Raises LabelsNeedText."""
        labels, vectors, thresholds = self._known
        fits = self._background.fits(pictures.vectors, vectors)
        chosen = choose_labels(fits, thresholds)
        for row in range(len(pictures)):
            found = sorted(np.flatnonzero(chosen[row]).tolist(), key=lambda place: -fits[row, place])
            yield row, _values({labels[place]: float(fits[row, place]) for place in found})

    @cached_property
    def _background(self) -> Background:
        bank = self._library.read_bank()
        if bank is None:
            raise LabelsNeedText(self._library.stored.name)
        return Background.of(bank.vectors)

    @cached_property
    def _known(self) -> tuple[list[Label], Vectors, npt.NDArray[np.float32]]:
        """The labels of which the encoder knows a word, their vectors (m, dim), and from where on each counts (m,)."""
        background = self._background
        try:
            found = _encode(self._library.stored, self._library.runtime, tuple(one.names for one in self._labels))
        except EncoderError as error:
            raise LabelsNeedText(self._library.stored.name, error) from error
        places = [place for place, vector in enumerate(found) if vector is not None]
        unknown = [one.name for one, vector in zip(self._labels, found, strict=True) if vector is None]
        if unknown:
            self.warnings.append(LabelsUnknown(unknown, self._library.stored.name))
        vectors = np.array([found[place] for place in places], np.float32).reshape(-1, self._library.encoder.spec.dim)
        thresholds = self._fit(places, vectors, background)
        return [self._labels[place] for place in places], vectors, thresholds

    def _fit(self, places: Sequence[int], vectors: Vectors, background: Background) -> npt.NDArray[np.float32]:
        """Return from where on labels count that have examples; not a number for the others."""
        thresholds = np.full(len(places), np.nan, np.float32)
        if not any(len(self._examples[place]) >= LEAST_EXAMPLES for place in places):
            return thresholds
        tagged = sorted(self._tags)
        ids, pictures = self._library.gather(tagged[:: max(1, math.ceil(len(tagged) / _MOST_EXAMPLES))])
        fits = background.fits(pictures, vectors)
        for column, place in enumerate(places):
            has_it = np.isin(ids, self._examples[place])
            threshold = fit_threshold(fits[has_it, column], fits[~has_it, column])
            thresholds[column] = np.nan if threshold is None else threshold
        return thresholds

    @cached_property
    def _tags(self) -> dict[int, set[str]]:
        fold = cache(fold_text)  # most tags are on many pictures
        return {content_id: {fold(tag) for tag in tags} for content_id, tags in self._library.list_tags().items()}

    @cached_property
    def _examples(self) -> list[Ids]:
        """The pictures that somebody has tagged with each label, under any of its names."""
        places: dict[str, int] = {
            fold_text(name): place for place, one in enumerate(self._labels) for name in one.names
        }
        found: list[list[int]] = [[] for _ in self._labels]
        for content_id, tags in self._tags.items():
            for place in {places[tag] for tag in tags if tag in places}:
                found[place].append(content_id)
        return [np.array(ids, np.int64) for ids in found]


def _values(fits: dict[Label, float]) -> Values:
    names = [name for label in fits for name in label.names if name != label.name]
    scores = {label.name: round(fit, 2) for label, fit in fits.items()}
    return {"label": list(scores), "label_names": names, "label_scores": scores} if fits else {}


@lru_cache(maxsize=2)
def _encode(
    stored: StoredEncoder, runtime: Runtime, labels: tuple[tuple[str, ...], ...]
) -> Sequence[npt.NDArray[np.float32] | None]:
    """Return the vector (dim,) of each label, that of all its names; None where the encoder knows none of them."""
    tower = load_library_text(stored, runtime)
    templates = runtime.uses_templates(tower.spec)
    found = [encode_known(tower, names, templates=templates) for names in labels]
    return [l2_normalize(vectors.mean(axis=0)) if len(vectors) else None for vectors in found]
