"""Which pictures show the same: exact copies, and near-duplicates on which two witnesses agree.

A copy has the same bytes, so the same content. A near-duplicate is a picture resized, recompressed, toned, turned grey,
or cropped by a few hundredths. Vectors alone call different pictures of one kind of thing the same, and hashes alone
call different things of one shape the same; only what both say is believed. The vectors have to be the nearer the
further the hashes are apart (`Rule`).

Pictures are taken in an order, the best first. Each is compared with those before it that stand for a group, and joins
the first that it agrees with, or begins a group of its own. So every picture of a group agrees with the one that stands
for it, and a row of pictures that changes little by little never becomes one group; and what the groups of the first n
pictures are does not depend on those that follow, which lets a search hide duplicates page by page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from indexer.library.index.records import IndexEntry
from indexer.library.looks import NO_HASH, Detail, Hashes, Looks, hamming
from indexer.library.opened import OpenBuild
from models.encoders.registry import get_spec
from models.encoders.spec import EncoderSpec
from models.foundation.errors import ImageSearchError
from models.foundation.messages import mark
from models.foundation.vectors import Ids, Vectors

Fetch = Callable[[Ids], Vectors]  # image ids -> their vectors, as VectorIndex.fetch
OnStep = Callable[[str, int, int], None]
Positions = npt.NDArray[np.int64]

# Measured with the built-in encoder on 36,859 photographs and 32,000 changed versions of 2,000 of them: see `Rule`.
MAX_BITS = 8
_LEAST = 0.6  # of the way from the cosine of different pictures to 1, where the hashes are the same
_LEAST_A_BIT = 1 / 30

# The mean cosine of unrelated pictures is measured in each library; what the encoder's spec says of it counts as much
# as so many pairs, for libraries of a few pictures.
_PRIOR_PAIRS = 1000
_SAMPLE = 1000
_APART_BITS = 20  # hashes that differ in so many bits are of different pictures
_MOST_UNRELATED = 0.95

_THIRDS, _THIRD_BITS = 3, 21
_CHUNK = 256
_FETCHED_AT_ONCE = 4096
_COMPARED_DIRECTLY = 2048  # so few hashes are compared one with each; more go into a hash table


@dataclass(frozen=True, slots=True)
class Rule:
    """What counts as a near-duplicate. `unrelated` is the mean cosine of different pictures in this library.

    At most MAX_BITS of the hashes' 64 differ, and the cosine is at least 0.6 + bits / 30 of the way from `unrelated` to
    1: with the built-in encoder 0.65 where the hashes are the same, 0.88 where 8 bits differ. Where either picture is
    plain each bit counts twice; one that is blank has no near-duplicates (`perceptual.Detail`).
    """

    unrelated: float

    def least_cosine(self, bits: npt.NDArray[np.integer]) -> npt.NDArray[np.floating]:
        """Return the cosine that is needed where so many bits differ."""
        return self.unrelated + (1 - self.unrelated) * (_LEAST + bits * _LEAST_A_BIT)


@dataclass(frozen=True, slots=True)
class Grouping:
    """For each picture, in the order they were given, the position of the one that stands for its group.

    `bits` and `cosines` are those between the two; 0 and 1 for exact copies, and for the picture itself.
    """

    leaders: Positions
    bits: npt.NDArray[np.uint8]
    cosines: npt.NDArray[np.float32]


def calibrate(looks: Looks, vectors: Vectors, unrelated: float) -> Rule:
    """Return the rule for a library, by what different pictures of it score: those whose hashes are far apart.

    `unrelated` is the mean cosine of different pictures that is expected before any are compared.
    """
    usable = looks.hashes != NO_HASH
    hashes, vectors = looks.hashes[usable], vectors[usable]
    apart = np.triu(hamming(hashes[:, None], hashes[None]) >= _APART_BITS, 1)
    scores = (vectors @ vectors.T)[apart]
    mean = (float(scores.sum(dtype=np.float64)) + _PRIOR_PAIRS * unrelated) / (len(scores) + _PRIOR_PAIRS)
    return Rule(min(max(mean, 0.0), _MOST_UNRELATED))


def calibrate_build(opened: OpenBuild) -> Rule:
    """Return the rule for the library of a build: the same for all who ask."""
    ids = opened.index.list_ids()
    if len(ids) > _SAMPLE:
        ids = np.sort(np.random.default_rng(0).choice(ids, _SAMPLE, replace=False))
    looks = opened.catalog.get_looks(ids.tolist())
    return calibrate(looks, opened.index.fetch(looks.ids), _expected_unrelated(opened.entry))


def _expected_unrelated(entry: IndexEntry) -> float:
    """Return what the spec of the encoder says, where it is known; else what a spec says that was never measured."""
    try:
        spec = get_spec(entry.encoder)
    except ImageSearchError:  # fine-tuned, or of a plug-in that is not installed here
        return EncoderSpec.unrelated_cosine
    return spec.unrelated_cosine if spec.space == entry.space else EncoderSpec.unrelated_cosine


def group(looks: Looks, fetch: Fetch, rule: Rule | None, *, on_step: OnStep = lambda *_: None) -> Grouping:
    """Group pictures, which are given best first; without a `rule` only exact copies."""
    _, first, inverse = np.unique(looks.contents, return_index=True, return_inverse=True)
    order = np.argsort(first)
    firsts = first[order]  # the first picture of each content, in the order of the pictures
    content = np.empty(len(order), np.int64)
    content[order] = np.arange(len(order))
    content = content[inverse]
    leaders = np.arange(len(firsts))
    bits, cosines = np.zeros(len(firsts), np.uint8), np.ones(len(firsts), np.float32)
    if rule is not None:
        _Near(looks[firsts], fetch, rule).join(leaders, bits, cosines, on_step)
    return Grouping(firsts[leaders][content], bits[content], cosines[content])


class _Near:
    """Finds, for each content, those after it that are its near-duplicates."""

    def __init__(self, looks: Looks, fetch: Fetch, rule: Rule) -> None:
        self._looks = looks
        self._fetch = fetch
        self._rule = rule
        self._usable = np.flatnonzero((looks.hashes != NO_HASH) & (looks.details < Detail.BLANK))
        values, bucket, self._sizes = np.unique(looks.hashes[self._usable], return_inverse=True, return_counts=True)
        self._members = self._usable[np.argsort(bucket, kind="stable")]  # by hash, then in order
        self._ends = np.cumsum(self._sizes)
        self._within = _find_directly(values) if len(values) <= _COMPARED_DIRECTLY else _find_by_table(values)

    def join(
        self,
        leaders: Positions,
        bits: npt.NDArray[np.uint8],
        cosines: npt.NDArray[np.float32],
        on_step: OnStep,
    ) -> None:
        """Have contents follow the first that they are near-duplicates of; changes the three arrays."""
        for start in range(0, len(self._usable), _CHUNK):
            on_step(mark("Comparing"), start, len(self._usable))
            part = self._usable[start : start + _CHUNK]
            part = part[leaders[part] == part]
            limits, found = self._within(self._looks.hashes[part])
            counts = np.diff(np.concatenate([[0], np.cumsum(self._sizes[found])])[limits])
            for n in np.flatnonzero(counts > 1):
                one = part[n]
                if leaders[one] != one:
                    continue
                near = np.concatenate([self._bucket(value) for value in found[limits[n] : limits[n + 1]]])
                near = near[(near > one) & (leaders[near] == near)]
                for begin in range(0, len(near), _FETCHED_AT_ONCE):
                    some = near[begin : begin + _FETCHED_AT_ONCE]
                    some, some_bits, some_cosines = self._agreeing(one, some)
                    leaders[some], bits[some], cosines[some] = one, some_bits, some_cosines

    def _bucket(self, value: int) -> Positions:
        end = self._ends[value]
        return self._members[end - self._sizes[value] : end]

    def _agreeing(
        self, one: int, others: Positions
    ) -> tuple[Positions, npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Return those of `others` that agree with `one` in both, the bits that differ, and the cosines."""
        looks = self._looks
        bits = hamming(looks.hashes[one], looks.hashes[others])
        plain = np.maximum(looks.details[one], looks.details[others]) >= Detail.PLAIN
        counted = np.where(plain, 2, 1) * bits
        close = counted <= MAX_BITS
        if not close.any():
            return others[close], bits[close], np.empty(0, np.float32)
        others, bits, counted = others[close], bits[close], counted[close]
        vectors = self._fetch(looks.ids[np.concatenate([[one], others])])
        cosines = vectors[1:] @ vectors[0]
        agree = cosines >= self._rule.least_cosine(counted)
        return others[agree], bits[agree], cosines[agree]


# What finds, for hashes, the positions among `values` of all that differ in at most MAX_BITS: as FAISS returns ranges,
# those of hash n are found[limits[n] : limits[n + 1]].
Within = Callable[[Hashes], tuple[Positions, Positions]]


def _find_directly(values: Hashes) -> Within:
    def within(hashes: Hashes) -> tuple[Positions, Positions]:
        rows, found = np.nonzero(hamming(hashes[:, None], values[None]) <= MAX_BITS)
        return np.searchsorted(rows, np.arange(len(hashes) + 1)), found

    return within


def _find_by_table(values: Hashes) -> Within:
    """Three tables of 21 bits each: of two hashes that differ in 8 bits, at most 2 of them are in one of the thirds.

    (Multi-index hashing: Norouzi, Punjani and Fleet, Fast Search in Hamming Space, 2012.)
    """
    tables = []
    for third in range(_THIRDS):
        keys = _key(values, third)
        ends = np.cumsum(np.bincount(keys, minlength=2**_THIRD_BITS))
        tables.append((np.concatenate([[0], ends]), np.argsort(keys, kind="stable")))
    flips = [
        sum(1 << bit for bit in bits)
        for count in range(MAX_BITS // _THIRDS + 1)
        for bits in combinations(range(_THIRD_BITS), count)
    ]

    def within(hashes: Hashes) -> tuple[Positions, Positions]:
        pairs = []
        for third, (starts, members) in enumerate(tables):
            keys = (_key(hashes, third)[:, None] ^ np.array(flips)).ravel()
            sizes = starts[keys + 1] - starts[keys]
            hit = np.flatnonzero(sizes)
            sizes = sizes[hit]
            inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            found = members[np.repeat(starts[keys[hit]], sizes) + inside]
            rows = np.repeat(hit // len(flips), sizes)
            close = hamming(hashes[rows], values[found]) <= MAX_BITS
            pairs.append(rows[close] * len(values) + found[close])
        rows, found = np.divmod(np.unique(np.concatenate(pairs)), len(values))
        return np.searchsorted(rows, np.arange(len(hashes) + 1)), found

    return within


def _key(hashes: Hashes, third: int) -> Positions:
    """Return every third bit of hashes, as a number; one bit of the 64 is in no third."""
    octets = np.ascontiguousarray(hashes).view(np.uint8).reshape(-1, 8)
    bits = np.unpackbits(octets, axis=1)[:, third : _THIRDS * _THIRD_BITS : _THIRDS]
    key: Positions = bits @ (1 << np.arange(_THIRD_BITS))
    return key
