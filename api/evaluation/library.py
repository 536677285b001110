"""A person's questions to a library -> results, asked through the search engine as they would be asked in a search."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from api.evaluation.data.datasets import Question, QuestionSet
from api.evaluation.errors import InvalidDataSet
from api.evaluation.labelled import Labelled, label_scores
from api.evaluation.measures.ranking import OnStep
from api.evaluation.measures.samples import Presence, Ranks, number_groups
from api.evaluation.results import Result, by_language, make_result
from api.evaluation.unknown import LOWEST_SCORE, search
from api.search.duplicate_collapse import Scores
from api.search.encoders import EncoderSpace
from api.search.engine import SearchEngine
from api.search.errors import InvalidQuery
from api.search.options import Match
from api.search.query import Clause, Query
from api.search.results import SearchHit
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import UnknownSource
from indexer.library.index.port import Mask
from indexer.library.sources.items import MAX_INT64, Root
from indexer.library.sources.kinds import open_source
from models.foundation.errors import UnknownWords
from models.foundation.messages import either, mark, message
from models.foundation.vectors import Ids, Vectors
from models.relevance.curves import KINDS, Kind, kind_of
from models.relevance.reference_pictures import Reference

DEPTH = 100  # hits that are looked at; a picture further down counts as not found
_SAMPLED = 5_000  # pictures that no question names, by whose scores a calibration is fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How questions are put to the engine: what of a search may be set, and whatever two runs may be compared by."""

    match: Match = "vector"
    where: str | None = None
    literal: bool = False
    hub_correction: bool = True
    encoders: tuple[str, ...] = ()

    def make_query(self, text: str) -> Query:
        """Return the search for `text`. Raises InvalidQuery or InvalidFilter."""
        return Query(
            clauses=[Clause(text=text)],
            where=self.where or None,
            k=DEPTH,
            match=self.match,
            literal=self.literal,
            hub_correction=self.hub_correction,
            encoders=self.encoders,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "match": self.match,
            "where": self.where,
            "literal": self.literal,
            "hub_correction": self.hub_correction,
            "spaces": list(self.encoders),
            "depth": DEPTH,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the contents of its right pictures (an exact copy is as right), and the ids of those it names."""

    question: Question
    contents: frozenset[int]
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The rank of the best right picture, inf beyond DEPTH; the score of the first hit, None where no word is known."""

    rank: float
    score: float | None


def resolve(catalog: Catalog, holds: Callable[[Ids], Mask], questions: QuestionSet) -> tuple[list[Asked], list[str]]:
    """Return the questions that can be asked, and the pictures, as written, that are not among those it `holds`.

    A question that names pictures of which none is there is left out. Raises InvalidDataSet where none can be asked,
    or a picture may be one of several.
    """
    roots = catalog.list_roots()
    asked: list[Asked] = []
    missing: dict[str, None] = {}
    for question in questions.questions:
        found = {text: _find(catalog, roots, text) for text in question.pictures}
        for text, ids in found.items():
            if len(ids) > 1:
                places = [row.place for row in catalog.get_images(ids).values()]
                raise InvalidDataSet(
                    questions.path,
                    message("{picture} may be {places}. Write its whole path", picture=text, places=either(places)),
                    row=question.row,
                )
        there = {text: ids for text, ids in found.items() if holds(np.array(ids, np.int64)).any()}
        missing |= dict.fromkeys(found.keys() - there.keys())
        if there or not question.pictures:
            named = [image_id for ids in there.values() for image_id in ids]
            asked.append(Asked(question, frozenset(catalog.get_looks(named).contents.tolist()), tuple(named)))
    if not any(question.pictures for question in questions.questions):
        raise InvalidDataSet(
            questions.path,
            message("none of its questions names a picture, so there is nothing to find. Name right pictures for some"),
        )
    if not any(one.contents for one in asked):
        raise InvalidDataSet(
            questions.path,
            message("the library has none of its pictures. Write paths as `xuntu search` shows them, or ids"),
        )
    return asked, sorted(missing)


def ask(engine: SearchEngine, asked: Sequence[Asked], asking: Asking, path: Path, on_step: OnStep) -> list[Answer]:
    """Put questions to an engine, one after the other. Raises InvalidDataSet for one that cannot be asked."""
    answers = []
    for number, one in enumerate(asked):
        on_step(mark("Asking"), number, len(asked))
        try:
            hits = search(engine, asking.make_query(one.question.text))
        except InvalidQuery as error:
            raise InvalidDataSet(path, error, row=one.question.row) from error
        if hits is None:
            answers.append(Answer(np.inf, None))
        else:
            answers.append(Answer(_rank(engine, hits, one.contents, asking), hits[0].score if hits else LOWEST_SCORE))
    return answers


def label_answers(
    engine: SearchEngine,
    asked: Sequence[Asked],
    asking: Asking,
    on_step: OnStep,
    *,
    reference: Reference | None = None,
) -> dict[Kind, Labelled]:
    """Put questions to the one space that `asking` names, and label the pictures right or wrong for each.

    Those of which no word is known, and those that are read as a sum, are left out: no single text has their score. Of
    a large library a sample of pictures is scored, and all that some question names. Questions that name the same
    pictures belong together.
    """
    space = engine.get_space(asking.encoders[0])
    corrects = space.hub_correction and asking.hub_correction
    ids, contents = _sample_pictures(engine, space, asked)
    found: dict[Kind, list[tuple[Scores, Mask, Vectors, object]]] = {kind: [] for kind in KINDS}
    for number, one in enumerate(asked):
        on_step(mark("Asking"), number, len(asked))
        kind = kind_of(one.question.text)
        try:
            plan = engine.plan(asking.make_query(one.question.text))
        except UnknownWords:
            continue
        if kind is None or len(plan.clauses) != 1:
            continue
        (only,) = plan.encoders
        (part,) = only.list_parts(*engine.encode(plan)[only.encoder])
        query = part.as_query(hub_correction=corrects)
        scores = space.index.score(query.vector, ids, offset_weight=query.offset_weight)
        group = min(one.contents) if one.contents else one.question.text
        found[kind].append((scores, np.isin(contents, list(one.contents)), part.vector, group))
    return {kind: label_scores(*zip(*rows, strict=True), reference=reference) for kind, rows in found.items() if rows}


def _sample_pictures(engine: SearchEngine, space: EncoderSpace, asked: Sequence[Asked]) -> tuple[Ids, Ids]:
    """Return the ids of pictures to score, and their contents: those that questions name, and some of the others."""
    ids = space.index.list_ids()
    named = np.isin(ids, [image_id for one in asked for image_id in one.ids])
    others = np.random.default_rng(0).permutation(ids[~named])[:_SAMPLED]
    chosen = np.sort(np.concatenate([ids[named], others]))
    return chosen, engine.opened.catalog.get_looks(chosen.tolist()).contents


def make_results(asked: Sequence[Asked], answers: Sequence[Answer], asking: Asking, gallery: int) -> list[Result]:
    """Return how well pictures were found; and, where some questions ask for what is not there, how well that shows."""
    results = []
    answerable = [place for place, one in enumerate(asked) if one.contents]
    for language, chosen in by_language([asked[place].question.language for place in answerable]):
        places = [answerable[place] for place in chosen]
        groups = number_groups([min(asked[place].contents) for place in places])
        ranks = np.array([answers[place].rank for place in places])
        facts = [[asked[place].question.text, sorted(asked[place].question.pictures)] for place in places]
        unknown = sum(answers[place].score is None for place in places)
        results.append(
            make_result("text->image", language, Ranks(groups, ranks), gallery=gallery, facts=facts, unknown=unknown)
        )
    if asking.match == "vector":  # of a ranking by words, no score says how well they fit
        results += _tell_presence(asked, answers, gallery)
    return results


def _tell_presence(asked: Sequence[Asked], answers: Sequence[Answer], gallery: int) -> Iterator[Result]:
    scores = np.array([LOWEST_SCORE if answer.score is None else answer.score for answer in answers])
    present = np.array([bool(one.contents) for one in asked])
    for language, chosen in by_language([one.question.language for one in asked]):
        if present[chosen].all() or not present[chosen].any():
            continue
        facts = [[asked[place].question.text, bool(present[place])] for place in chosen]
        sample = Presence(np.arange(len(chosen)), scores[chosen], present[chosen])
        unknown = sum(answers[place].score is None for place in chosen)
        yield make_result("presence", language, sample, gallery=gallery, facts=facts, unknown=unknown)


def _rank(engine: SearchEngine, hits: Sequence[SearchHit], right: frozenset[int], asking: Asking) -> float:
    """Return the rank of the first right hit; where scores rank, behind every other that has the same score."""
    contents = engine.opened.catalog.get_looks([hit.id for hit in hits]).contents.tolist()
    places = [place for place, content in enumerate(contents) if content in right]
    if not places:
        return float("inf")
    first = places[0]
    if asking.match != "vector":
        return float(first + 1)
    ties = sum(hit.score == hits[first].score and place not in places for place, hit in enumerate(hits[first:], first))
    return float(first + 1 + ties)


def _find(catalog: Catalog, roots: Sequence[Root], text: str) -> list[int]:
    """Return the ids of the pictures that a text may mean: an id, or a path below any root; gone ones too."""
    if text.isdecimal():
        is_id = len(text) <= len(str(MAX_INT64)) and int(text) <= MAX_INT64
        return list(catalog.get_images([int(text)])) if is_id else []
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # half of a pair in JSON, which no path has
        return []
    written = dict.fromkeys((text, text.replace("\\", "/")))  # the second where the table was made on Windows
    return next(filter(None, (_find_path(catalog, roots, path) for path in written)), [])


def _find_path(catalog: Catalog, roots: Sequence[Root], text: str) -> list[int]:
    found = []
    for root in roots:
        try:
            key = open_source(root).key_of(text)
        except UnknownSource:
            continue
        known = catalog.known_items(root, (), [key]).get(key)
        found += [known.id] if known is not None else []
    return list(catalog.get_images(found))
