"""A query as a person gave it -> a plan: what is still to be encoded, by which encoder, and what is known already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL.Image import Image

from api.search.clauses import ReadClause, read_clauses
from api.search.cursors import read_ranked
from api.search.encoders import EncoderSpace, EncoderTowers, Spaces
from api.search.errors import ImageNotFound, InvalidQuery
from api.search.given_vectors import read_vector
from api.search.options import Match
from api.search.orders import read_order
from api.search.pictures import PictureToDecode, QueryPictures
from api.search.plan import EncoderPlan, Plan, Preference, WordMatches
from api.search.preferences import PreferenceReader
from api.search.query import MAX_TEXT_CHARS, Clause, Query
from api.search.results import SearchNote
from api.search.retrievers.words import WordSearch
from api.search.routing import Router
from api.search.turns import ANGLES, turn
from indexer.library.catalog.lists import read_facts
from indexer.library.catalog.records import ImageRow
from indexer.library.catalog.sorting import read_sort
from indexer.library.opened import OpenBuild
from indexer.library.sources.items import MAX_INT64
from indexer.library.thumbnails import DECODED_SIDE, SPARE, decoded_side
from models.encoders.wordings import list_wordings
from models.foundation.errors import NoTextTower, UnknownWords
from models.foundation.messages import message
from models.foundation.vectors import Pixels, Vectors
from models.language.text import fold_text, normalize_text
from models.pictures.limits import DecodeLimits

_LEAST_SAID = 0.6  # of what is asked, by words that are to count where everything is looked at


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """The words of a text that an encoder does not know; `names` are those that it takes for names."""

    words: Sequence[str] = ()
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Unknown(_LeftOut):
    """What none of the encoders asked knows of a query, and the first of these encoders."""

    encoder: str = ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a query says: its clauses, what of them pictures are to show, and which pictures have the words of it."""

    match: Match
    clauses: Sequence[ReadClause]
    shown: Sequence[ReadClause]
    matches: WordMatches = field(default_factory=WordMatches)
    preferences: Sequence[Preference] = ()
    notes: Sequence[SearchNote] = ()

    def list_asked(self) -> tuple[int, ...]:
        """Return which of the clauses each of those is that pictures are to show."""
        known = {(read.source, read.negation): number for number, read in enumerate(self.clauses)}
        return tuple(known[read.source, read.negation] for read in self.shown)


class Planner:
    """Reads queries to one build. Safe to use from several threads."""

    def __init__(self, opened: OpenBuild, spaces: Spaces, router: Router, limits: DecodeLimits) -> None:
        self._catalog = opened.catalog
        self._build = opened.manifest.build
        self._spaces = spaces
        self._router = router
        self._limits = limits
        self._words = WordSearch(opened.catalog)
        self._preferences = PreferenceReader(opened.catalog, self._words)
        self._side = decoded_side([space.encoders.spec.image_size for space in spaces.values()])

    def list_pictures(self, query: Query) -> dict[int, PictureToDecode]:
        """Return the pictures that a query asks with as they are to be decoded, by the places of their clauses.

        Raises InvalidQuery, for a text as well, and ImageNotFound.
        """
        _check_texts(query)
        return {
            place: self._to_decode(clause)
            for place, clause in enumerate(query.clauses)
            if clause.image is not None or clause.crop is not None
        }

    def plan(self, query: Query, decoded: QueryPictures) -> Plan:
        """Read texts and look up ids, so that only encoding is left; `decoded` has what `list_pictures` lists.

        Conditions that are a text have been read before. Raises InvalidQuery, UnknownWords, ImageNotFound, and what
        loading a tower raises.
        """
        _check_texts(query)
        query, notes = self._begin_page(query)
        if not query.clauses:
            return Plan(query=query, question=query, started=decoded.started, notes=tuple(notes))
        question = query
        reading, by_words = self._read(query), query.match != "vector"
        query = replace(query, match=reading.match)
        searched = [read.clause for read in reading.shown]
        excluded = [clause.image_id for clause in searched if clause.image_id is not None]
        for image_id in excluded:
            self.get_image(image_id)
        pictures = {
            place: decoded.images[read.source]
            for place, read in enumerate(reading.shown)
            if read.source in decoded.images
        }
        self._router.assign((), query.encoders)  # what is not there is refused, even where none is asked
        encoders, unknown = self._plan_encoders(query, searched, pictures) if searched else ([], _Unknown())
        matches = reading.matches
        if not encoders and query.match != "text":
            if not matches.any and not reading.preferences:
                raise UnknownWords(unknown.words, unknown.encoder, names=unknown.names)
            if matches.tell is not None:  # nothing is found by vectors that it could be told of
                matches = self._words.match(searched)
        notes += reading.notes
        if query.match != "text":
            found = {fold_text(one.span.said) for one in reading.preferences}
            unknown = replace(unknown, names=[name for name in unknown.names if fold_text(name) not in found])
            said_whole = matches.any and not matches.loose
            notes += _left_out_notes(unknown, by_words=by_words, said_whole=said_whole)
        return Plan(
            query=query,
            question=question,
            started=decoded.started,
            clauses=tuple(reading.clauses),
            asked=reading.list_asked(),
            encoders=tuple(encoders),
            excluded=tuple(excluded),
            matches=matches,
            preferences=tuple(reading.preferences),
            notes=tuple(notes),
        )

    def _begin_page(self, query: Query) -> tuple[Query, list[SearchNote]]:
        """Refuse what cannot be told or sorted by before work is done; read where among ranked hits the page begins.

        A note says that another build than that of the cursor answers. Raises what reading them raises.
        """
        if query.fields:
            read_facts(query.fields, self._catalog.fields())
        if query.sort:
            (read_sort if query.clauses else read_order)(query.sort, self._catalog.fields())
        if not query.after or not (query.clauses or query.hide_duplicates):
            return query, []
        place = read_ranked(query.after, query.fingerprint())
        query = replace(query, after="", offset=place.offset)
        return query, [] if place.build == self._build else [_changed_since()]

    def get_image(self, image_id: int) -> ImageRow:
        """Return what is known of a picture of this build. Raises ImageNotFound."""
        row = self._catalog.get_images([image_id]).get(image_id) if 0 < image_id < 2**63 else None
        if row is None or not any(space.holds(image_id) for space in self._spaces.values()):
            raise ImageNotFound(image_id)
        return row

    def _to_decode(self, clause: Clause) -> PictureToDecode:
        """Return the picture of a clause, whole as the indexer decodes it: a picture of the library finds itself.

        A part is cut out of the picture as fine as it is, since it may be small.
        """
        row = None if clause.image_id is None else self.get_image(clause.image_id)
        return PictureToDecode(
            limits=self._limits if row is None else replace(self._limits, max_bytes=MAX_INT64),
            short_side=self._side,
            long_side=DECODED_SIDE,
            spare=SPARE,
            data=clause.image,
            row=row,
            crop=clause.crop,
            fine=clause.crop is not None,
        )

    def _read(self, query: Query) -> _Reading:
        """Return the clauses as they are read, and the pictures that say their words if these are looked at."""
        clauses, matches = read_clauses(query.clauses, literal=query.literal), WordMatches()
        if query.match == "auto":
            return self._read_all(query, clauses)
        if query.match == "vector":
            return _Reading(query.match, clauses, clauses)
        if _names_words(query.clauses) and not _names_words([read.clause for read in clauses]):
            if query.match == "both":  # "without people" names nothing that could be found in words
                return _Reading(query.match, clauses, clauses, matches, notes=_match_notes(query, matches))
            clauses = read_clauses(query.clauses, literal=True)
        matches = self._words.match([read.clause for read in clauses])
        return _Reading(query.match, clauses, clauses, matches, notes=_match_notes(query, matches))

    def _read_all(self, query: Query, given: Sequence[ReadClause]) -> _Reading:
        """Read what everything is looked for by; what only vectors have, as relevance, is asked of them alone."""
        if query.min_score is not None or query.min_relevance is not None or not _names_words_of(given):
            return _Reading("vector", given, given)
        clauses = given if query.literal else self._preferences.read(given, query.plain)
        preferences, shown, notes = self._preferences.find(clauses)
        asked = [read.clause for read in shown]
        matches = self._words.skim(asked, least=_LEAST_SAID) if _names_words(asked) else WordMatches()
        match: Match = "auto" if preferences or matches.any else "vector"
        return _Reading(match, clauses, shown, matches, preferences, notes)

    def _plan_encoders(
        self, query: Query, clauses: Sequence[Clause], pictures: Mapping[int, Image]
    ) -> tuple[list[EncoderPlan], _Unknown]:
        """Return what each encoder is asked that understands something asked for, and what none of them knows."""
        assigned = self._router.assign(clauses, query.encoders)
        asked: list[EncoderPlan] = []
        left_out: dict[int, list[_LeftOut]] = {}  # by clause: what each encoder asked does not know
        for name, places in assigned.items():
            chosen = {place: clauses[place] for place in places}
            one, words = self._plan_encoder(self._spaces[name], chosen, pictures, query)
            for place in places:
                left_out.setdefault(place, []).append(words[place])
            towards = any(clause.weight > 0 for clause in chosen.values())
            if one.weights and (max(one.weights) > 0 or not towards):
                asked.append(one)
        common = [word for _, found in sorted(left_out.items()) for word in _common(found)]
        names = {name for found in left_out.values() for one in found for name in one.names}
        return asked, _Unknown(
            words=[word for word in common if word not in names],
            names=[word for word in common if word in names],
            encoder=next(iter(assigned)),
        )

    def _plan_encoder(
        self, space: EncoderSpace, clauses: Mapping[int, Clause], pictures: Mapping[int, Image], query: Query
    ) -> tuple[EncoderPlan, dict[int, _LeftOut]]:
        """Return what an encoder is asked, and for the place of each clause what it does not know."""
        texts: list[tuple[float, tuple[str, ...]]] = []
        pixels: list[tuple[float, Pixels]] = []
        vectors: list[tuple[float, Vectors]] = []
        asked_as: dict[str, list[int]] = {"vectors": [], "pixels": [], "texts": []}
        left_out = dict.fromkeys(clauses, _LeftOut())
        for place, clause in clauses.items():
            if clause.text is not None:
                wordings, left_out[place] = _read_text(space.encoders, clause.text, query)
                if wordings:
                    texts.append((clause.weight, wordings))
                    asked_as["texts"].append(place)
            elif place in pictures:
                pixels.append((clause.weight, space.encoders.preprocess(pictures[place])))
                asked_as["pixels"].append(place)
            else:
                given = clause.vector is not None
                vector = read_vector(clause, space) if given else space.index.fetch(np.array([clause.image_id]))[0]
                vectors.append((clause.weight, vector))
                asked_as["vectors"].append(place)
        asked = EncoderPlan(
            encoder=space.name,
            texts=tuple(texts),
            pixels=tuple(pixels),
            vectors=tuple(vectors),
            places=tuple(place for places in asked_as.values() for place in places),
        )
        alone = len(query.clauses) == len(pixels) == 1 and pixels[0][0] > 0
        if alone and space.encoders.spec.turned_cosine is not None:
            (picture,) = pictures.values()
            turned = [space.encoders.preprocess(turn(picture, degrees)) for degrees in ANGLES]
            asked = replace(asked, turned=tuple(turned))
        return asked, left_out


def _read_text(encoders: EncoderTowers, text: str, query: Query) -> tuple[tuple[str, ...], _LeftOut]:
    """Return the wordings of a text for an encoder, none where it knows nothing of it, and what it does not know.

    Raises NoTextTower where only vectors are looked at.
    """
    normal = normalize_text(text)
    try:
        reading = encoders.text.read_text(normal)
    except NoTextTower:
        if query.match == "vector":
            raise
        return (), _LeftOut(words=[normal])
    left_out = _LeftOut(words=reading.unknown_words, names=reading.names)
    if not reading.known:
        return (), left_out if reading.unknown_words or reading.names else _LeftOut(words=[normal])
    return list_wordings(normal, encoders.text, templates=encoders.templates), left_out


def _check_texts(query: Query) -> None:
    for clause in query.clauses:
        if clause.text is not None:
            _check_text(clause.text)


def _check_text(text: str) -> None:
    """Refuse a text that is too long, or empty. Raises InvalidQuery."""
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidQuery(
            message(
                "The text is too long: {length} characters; the most is {most}.",
                length=len(text),
                most=MAX_TEXT_CHARS,
            )
        )
    if not normalize_text(text):
        raise InvalidQuery(message("The text is empty. Say what is in the picture."))


def _names_words_of(clauses: Sequence[ReadClause]) -> bool:
    return _names_words([read.clause for read in clauses])


def _names_words(clauses: Sequence[Clause]) -> bool:
    return any(clause.text is not None and clause.weight > 0 for clause in clauses)


def _common(found: Sequence[_LeftOut]) -> list[str]:
    """Return the words that every encoder leaves out, in the order of the first."""
    first, *others = [(*one.words, *one.names) for one in found]
    return [word for word in first if all(word in other for other in others)]


def _left_out_notes(unknown: _LeftOut, *, by_words: bool, said_whole: bool) -> list[SearchNote]:
    """Say what the encoders do not know. `said_whole`: some pictures say all of the words."""
    notes = []
    if unknown.words:
        said = message("Not understood, so left out: {words}.", words=tuple(unknown.words))
        if said_whole:
            said = message(
                "Not understood in pictures, so looked for in words alone: {words}.", words=tuple(unknown.words)
            )
        notes.append(SearchNote(code="unknown_words", said=said))
    if unknown.names:
        said = message(
            "Names of persons, brands, places or works, which are not known in pictures, so left out: {names}. To look "
            "for them in captions, tags and file names, search words (match: text).",
            names=tuple(unknown.names),
        )
        if by_words:
            said = message(
                "Names of persons, brands, places or works, which are not known in pictures, so looked for in words "
                "alone: {names}.",
                names=tuple(unknown.names),
            )
        notes.append(SearchNote(code="names", said=said))
    return notes


def _match_notes(query: Query, matches: WordMatches) -> list[SearchNote]:
    """Say where the words were not found as they were asked for."""
    if matches.loose:
        return [
            SearchNote(
                code="words_in_part",
                said=message("No caption, tag or name has all of these words; some have a part of them."),
            )
        ]
    if query.match == "both" and not len(matches.ids):
        return [
            SearchNote(
                code="words_not_found",
                said=message("No caption, tag or name has these words; ranked by what the pictures show."),
            )
        ]
    return []


def _changed_since() -> SearchNote:
    return SearchNote(
        code="changed_since",
        said=message(
            "The library has changed since the page before: some hits may come twice, and some be passed over. Search "
            "again from the beginning to see all."
        ),
    )
