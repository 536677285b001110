"""Names of classes: which pictures they find, which of them a picture is given, and whether there is such a thing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from api.evaluation.data.datasets import ClassName
from api.evaluation.encoding import EncodedTexts
from api.evaluation.labelled import levels_of
from api.evaluation.measures.ranking import OnStep, Positions, best_by_class, rank_all, rank_first
from api.evaluation.measures.samples import KS, NamedPictures, Precisions, Presence, Ranks, WholeRankings, number_groups
from api.evaluation.results import ALL, Result, by_language, make_result
from api.evaluation.unknown import LOWEST_SCORE, count_among, spread
from models.foundation.vectors import Vectors
from models.relevance.reference_pictures import Reference

_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class NameSearch:
    """Names and pictures whose inner product is the score of a search; `classes` (n,) are those of the pictures.

    `facts` say which pictures are ranked, and what is right.
    """

    names: Sequence[ClassName]
    texts: EncodedTexts
    pictures: Vectors
    classes: Positions
    facts: Sequence[object]

    def facts_of(self, chosen: Positions) -> list[object]:
        """Return the facts with the names that are asked."""
        return [*self.facts, *([self.names[place].text, self.names[place].classes] for place in chosen)]

    def by_language(self) -> Iterator[tuple[str, Positions]]:
        """Yield each language with the places of its names, and ALL where there are several."""
        return by_language([name.language for name in self.names])

    def group(self, chosen: Positions) -> Positions:
        """Return what is drawn together: what one thing is called, in whatever language."""
        return number_groups([self.names[place].classes[0] for place in chosen])


def find_by_name(search: NameSearch, on_step: OnStep) -> Iterator[Result]:
    """Rank all pictures for every name: any picture of its classes is a right answer.

    Beside the rank of the first right picture, the precision of the whole ranking: average precision, and precision at
    1, 5 and 10, which is divided by 1, 5 and 10 for names of fewer pictures as well (see measures/ranking.py).
    """
    names, texts = search.names, search.texts
    right = [np.flatnonzero(np.isin(search.classes, name.classes)) for name in names]
    found = rank_all(texts.vectors, search.pictures, [right[place] for place in texts.places], KS, on_step=on_step)
    first, average, at_k = (
        spread(values, texts.places, len(names), missed)
        for values, missed in ((found.first, np.inf), (found.average, 0), (found.at_k, 0))
    )
    for language, chosen in search.by_language():
        groups = search.group(chosen)
        yield make_result(
            "name->image",
            language,
            WholeRankings(Ranks(groups, first[chosen]), Precisions(groups, average[chosen], at_k[chosen])),
            gallery=len(search.classes),
            facts=search.facts_of(chosen),
            unknown=count_among(texts.places, chosen),
        )


def name_pictures(search: NameSearch, texts: Vectors, pictures: Vectors, on_step: OnStep) -> Iterator[Result]:
    """Give each picture the name that is nearest to it, among all names of a language (zero-shot classification).

    `texts` and `pictures` are vectors as they are: what is taken off the score of a hub is the same for all its names.
    Where a class has several names, any of them is right. Pictures of classes without a name in the language are not
    asked, and a name of which no word is known is given to none, so that pictures which have no other are misses.
    """
    for language, chosen in search.by_language():
        if language == ALL:  # names of two languages in one ranking would be another task
            continue
        rows = np.flatnonzero(np.isin(search.texts.places, chosen))
        known = [search.names[place] for place in search.texts.places[rows]]
        asked = np.flatnonzero(
            np.isin(search.classes, [one for place in chosen for one in search.names[place].classes])
        )
        names_of: dict[int, list[int]] = {}
        for column, name in enumerate(known):
            for number in name.classes:
                names_of.setdefault(number, []).append(column)
        right = [np.array(names_of.get(number, ()), np.int64) for number in search.classes[asked].tolist()]
        ranks = rank_first(pictures[asked], texts[rows], right, on_step=on_step)
        yield make_result(
            "zero-shot",
            language,
            NamedPictures(number_groups(search.classes[asked].tolist()), ranks),
            gallery=len(chosen),
            facts=search.facts_of(chosen),
            unknown=len(chosen) - len(rows),
        )


def tell_presence(search: NameSearch, on_step: OnStep, *, reference: Reference | None = None) -> Iterator[Result]:
    """Ask for every name in a gallery of half of the classes, drawn once, and again in one of the other half.

    So each name is asked for once where there is such a thing and once where there is none. It is told by the best
    score, and with `reference` by the best score less the level of the name, as relevance is.
    """
    names, texts, classes = search.names, search.texts, search.classes
    there = np.unique(classes)
    halves = np.isin(there, np.random.default_rng(_SEED).permutation(there)[: len(there) // 2])
    count = int(classes.max(initial=-1)) + 1
    found = best_by_class(texts.vectors, search.pictures, classes, count, on_step=on_step)
    best = spread(found, texts.places, len(names), LOWEST_SCORE)
    galleries = [there[halves], there[~halves]]
    if not all(map(len, galleries)):
        return
    scores = np.array([best[:, gallery].max(axis=1) for gallery in galleries], np.float64)
    levels = spread(levels_of(texts.vectors, reference)[0], texts.places, len(names), 0)
    told = {"presence": scores} | ({"presence less level": scores - levels} if reference else {})
    present = np.array([[bool(np.isin(name.classes, gallery).any()) for name in names] for gallery in galleries])
    for language, chosen in search.by_language():
        for task, heights in told.items():
            yield make_result(
                task,
                language,
                Presence(np.tile(search.group(chosen), 2), heights[:, chosen].ravel(), present[:, chosen].ravel()),
                gallery=int(np.isin(classes, galleries[0]).sum()),
                facts=search.facts_of(chosen),
                unknown=count_among(texts.places, chosen),
            )
