"""What WordNet, the English word net, knows of things that can be seen.

A person who trains gets WordNet 3.0 or 3.1 and names its folder, the one of `data.noun`: from wordnet.princeton.edu,
or `/usr/share/wordnet` of Debian's package `wordnet-base`. Princeton University, WordNet licence: any use, with its
notice. The files are described in wndb(5WN), lexnames(5WN) and senseidx(5WN).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from models.training.errors import WordListUnreadable


def _listed(names: str) -> frozenset[str]:
    return frozenset(names.split(", "))


# What can be seen: domains by their numbers (lexnames), of each everything (None) or what is one of these kinds.
_SEEN_DOMAINS = {
    3: ("thing", _listed("animal, food, person, plant")),
    4: (
        "act",
        _listed(
            "athletics, camping, cooking, dancing, display, diversion, motion, performing arts, social event, sport, "
            "travel, war"
        ),
    ),
    5: ("animal", None),
    6: ("artifact", None),
    7: ("attribute", _listed("color, countenance, facial expression, shape, visual property")),
    8: ("body", None),
    10: (
        "communication",
        _listed(
            "book, cartoon, document, facial expression, gesture, magazine, mark, menu, newspaper, signal, "
            "social event, symbol, text, visual communication, web site, written symbol"
        ),
    ),
    11: ("event", _listed("calamity, contest, explosion, fire, flash, mishap, social event, wave")),
    13: ("food", None),
    14: (
        "group",
        _listed(
            "animal group, audience, crowd, educational institution, family, gathering, kin, military unit, "
            "musical organization, people, police, procession, team, vegetation"
        ),
    ),
    15: ("location", _listed("district, geographical area, land, landscape, scene")),
    17: ("object", None),
    18: ("person", None),
    19: ("phenomenon", None),
    20: ("plant", None),
    21: ("possession", _listed("currency, gift, money")),
    22: ("process", _listed("blooming, combustion, fire, smoke")),
    25: ("shape", None),
    26: ("state", _listed("dark, dirt, illumination, injury, sleep")),
    27: ("substance", None),
    28: ("time", _listed("afternoon, birthday, clock time, evening, festival, holiday, morning, night, season")),
}
_UNSEEN_VERBS = (30, 31, 32, 37, 40, 41, 42)  # change, cognition, communication, emotion, possession, social, stative
_SEEN_ATTRIBUTES = _listed(
    "age, attractiveness, beauty, body weight, cheerfulness, cleanness, clearness, color, complexion, curliness, "
    "depth, domesticity, evenness, fullness, happiness, height, hue, length, light, luminosity, opacity, sex, shape, "
    "sharpness, size, stature, temperature, texture, thickness, wetness, width, wildness"
)
# What WordNet has in other domains, or gives no attribute.
_ALSO_SEEN_ACTIONS = _listed("bloom, laugh, photograph, read, smile, talk")
_ALSO_SEEN_NAMES = _listed("angry, bald, broken, closed, heavy, laugh, open, pattern, sad, smooth, texture")
_TOO_BROAD = _listed(  # what nearly everything is a kind of
    "abstraction, artifact, attribute, causal agent, communication, entity, event, fundamental quantity, group, "
    "instrumentality, living thing, location, matter, measure, object, organism, part, phenomenon, physical entity, "
    "process, property, psychological feature, region, relation, substance, thing, unit, whole"
)
_TAXON = "taxonomic group"
_PEOPLE = 18
_ENOUGH = 0.3  # of the uses of a word are of something that can be seen

_KIND_OF, _CASE_OF, _SIMILAR, _VALUE_OF = "@", "@i", "&", "="  # WordNet's signs
_TYPES = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}  # as the counts number them
_LINK = re.compile(r"(?:^| )(?:about|and|at|by|for|from|in|of|on|or|that|to|under|used|with)\b")  # after the head
_MARKER = re.compile(r"\((?:a|p|ip)\)$")  # where an adjective may stand


@dataclass(frozen=True, slots=True)
class Noun:
    """A thing that can be seen: its English names, the most used first, and what is broader, from near to far.

    `domain` is the part of the language that WordNet has it in: animal, artifact, food, ...; `frequency` is how often
    it was meant in the texts that WordNet counted, 0 for most.
    """

    words: tuple[str, ...]
    gloss: str
    hypernyms: tuple[str, ...]
    frequency: int
    domain: str


def nouns(wordnet: Path) -> Iterator[Noun]:
    """Return the nouns of a WordNet folder that can be seen, as far as it tells. Raises WordListUnreadable.

    Left out: genera and families, scientific names, and people known by name.
    """
    net = _Net(wordnet, "noun")
    genera = {word[6:] for synset in net for word in synset.words if word.startswith("genus ")}
    for synset in net:
        broader = net.broader(synset)
        used = sorted(net.used(synset), key=lambda word: -word[1])
        words = tuple(word for word, _ in used if not _is_scientific(word, genera))
        if words and _is_seen(synset, broader):
            names = dict.fromkeys(each.words[0] for each in broader)
            yield Noun(
                words=words,
                gloss=_definition(synset.gloss),
                hypernyms=tuple(name for name in names if name not in _TOO_BROAD),
                frequency=sum(uses for _, uses in used),
                domain=_SEEN_DOMAINS[synset.domain][0],
            )


@dataclass(frozen=True, slots=True)
class Lemma:
    """A word or phrase in one of its meanings.

    `is_instance`: one of a kind that has a name, a person or a city; `is_taxon`: a group or a scientific name of
    biology. `uses` is how often it was meant so in the texts that WordNet counted.
    """

    word: str
    is_instance: bool
    is_taxon: bool
    uses: int


def lemmas(wordnet: Path) -> Iterator[Lemma]:
    """Return the words of a WordNet folder, once for every meaning. Raises WordListUnreadable."""
    for name in ("noun", "verb", "adj", "adv"):
        net = _Net(wordnet, name)
        genera = {word[6:] for synset in net for word in synset.words if word.startswith("genus ")}
        for synset in net:
            is_instance = bool(synset.pointed(_CASE_OF))
            is_taxon = name == "noun" and any(_TAXON in each.words for each in (synset, *net.broader(synset)))
            for word, uses in net.used(synset):
                yield Lemma(word, is_instance, is_taxon or _is_scientific(word, genera), uses)


def exceptions(wordnet: Path) -> Iterator[str]:
    """Return the irregular forms of a WordNet folder: "ran", "geese". Raises WordListUnreadable."""
    for name in ("noun", "verb", "adj", "adv"):
        path = wordnet / f"{name}.exc"
        try:
            for line in path.read_text(encoding="utf-8").splitlines():
                yield line.split()[0].replace("_", " ")
        except (OSError, ValueError, IndexError) as error:
            raise WordListUnreadable(path, "WordNet 3") from error


class SeenWords:
    """The English words that often enough mean something that can be seen, as far as a WordNet folder tells.

    Making one takes some seconds. Raises WordListUnreadable.
    """

    def __init__(self, wordnet: Path) -> None:
        things, looks, actions = (_Net(wordnet, name) for name in ("noun", "adj", "verb"))
        named = chain(
            _judged(things, lambda synset: _is_seen(synset, things.broader(synset))),
            _judged(looks, lambda synset: _is_look(synset, looks, things)),
        )
        self._names = _often(named) | _ALSO_SEEN_NAMES
        done = _judged(actions, lambda synset: synset.domain not in _UNSEEN_VERBS)
        self._actions = _often(done) | _ALSO_SEEN_ACTIONS

    def is_name(self, phrase: str) -> bool:
        """Tell of a noun or an adjective, or of a phrase by its head: "roast ducks" by duck, "pot of tea" by pot."""
        head = _LINK.split(phrase)[0].rpartition(" ")[2]
        return any(form in self._names for form in chain(_singulars(phrase), _singulars(head)))

    def is_action(self, phrase: str) -> bool:
        """Tell of a verb, or of a phrase by its verb and its last word: "climb a tree" by climb and tree."""
        verb, _, rest = phrase.lower().partition(" ")
        return phrase.lower() in self._actions or (
            verb in self._actions and any(form in self._names for form in _singulars(rest.rpartition(" ")[2]))
        )


@dataclass(frozen=True, slots=True)
class _Synset:
    kind: str  # n, v, a, or s for an adjective that is similar to a head
    domain: int
    words: tuple[str, ...]
    ids: tuple[int, ...]  # of each word within its domain
    pointers: tuple[tuple[str, str], ...]  # sign; part of speech and offset of another synset
    gloss: str

    def pointed(self, *signs: str) -> list[str]:
        return [key for sign, key in self.pointers if sign in signs]


class _Net:
    """The synsets of one part of speech."""

    def __init__(self, wordnet: Path, name: str) -> None:
        self._data = wordnet / f"data.{name}"
        try:
            lines = self._data.read_text(encoding="utf-8").splitlines()
            self._synsets = dict(_parse(line) for line in lines if not line.startswith(" "))
        except (OSError, ValueError, IndexError) as error:
            raise WordListUnreadable(self._data, "WordNet 3") from error
        self._counts = _read_counts(wordnet)

    def __iter__(self) -> Iterator[_Synset]:
        return iter(self._synsets.values())

    def __getitem__(self, key: str) -> _Synset:
        try:
            return self._synsets[key]
        except KeyError as error:  # cut short, or beside files of another version
            raise WordListUnreadable(self._data, "WordNet 3") from error

    def broader(self, synset: _Synset) -> list[_Synset]:
        """Return every broader synset once, the nearest first."""
        found: dict[str, _Synset] = {}
        near = synset.pointed(_KIND_OF, _CASE_OF)
        while near:
            found.update((key, self[key]) for key in near)
            near = [key for each in near for key in self[each].pointed(_KIND_OF, _CASE_OF) if key not in found]
        return list(found.values())

    def used(self, synset: _Synset) -> Iterator[tuple[str, int]]:
        """Return the words, and how often each was meant so in the texts that were counted."""
        head = ":"
        if synset.kind == "s":
            similar = self[synset.pointed(_SIMILAR)[0]]
            head = f"{_lemma(similar.words[0])}:{similar.ids[0]:02}"
        for word, number in zip(synset.words, synset.ids, strict=True):
            sense = f"{_lemma(word)}%{_TYPES[synset.kind]}:{synset.domain:02}:{number:02}:{head}"
            yield word, self._counts.get(sense, 0)


def _lemma(word: str) -> str:
    return word.lower().replace(" ", "_")


def _parse(line: str) -> tuple[str, _Synset]:
    fields, _, gloss = line.partition(" | ")
    offset, domain, kind, count, *rest = fields.split()
    words, after = rest[: 2 * int(count, 16)], rest[2 * int(count, 16) :]
    pointers = (after[1 + 4 * number : 4 + 4 * number] for number in range(int(after[0])))
    return _key(kind, offset), _Synset(
        kind=kind,
        domain=int(domain),
        words=tuple(_MARKER.sub("", word).replace("_", " ") for word in words[::2]),
        ids=tuple(int(number, 16) for number in words[1::2]),
        pointers=tuple((sign, _key(part, target)) for sign, target, part in pointers),
        gloss=gloss.strip(),
    )


def _key(kind: str, offset: str) -> str:
    return f"{'a' if kind == 's' else kind}{offset}"


def _read_counts(wordnet: Path) -> dict[str, int]:
    """Return how often each sense was meant in the texts that WordNet counted, by its key."""
    path = next(
        (path for path in (wordnet / "index.sense", wordnet / "cntlist.rev") if path.exists()), wordnet / "cntlist.rev"
    )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {key: int(count) for key, *_, count in map(str.split, lines) if count != "0"}
    except (OSError, ValueError) as error:
        raise WordListUnreadable(path, "WordNet 3") from error


def _is_seen(synset: _Synset, broader: Iterable[_Synset]) -> bool:
    names = {word for each in (synset, *broader) for word in each.words}
    if synset.domain not in _SEEN_DOMAINS or _TAXON in names:
        return False
    if synset.domain == _PEOPLE and synset.pointed(_CASE_OF):
        return False
    _, kinds = _SEEN_DOMAINS[synset.domain]
    return kinds is None or not names.isdisjoint(kinds)


def _is_look(synset: _Synset, adjectives: _Net, things: _Net) -> bool:
    """Tell whether an adjective, or one that it is similar to, is a value of an attribute that can be seen."""
    heads = [synset, *(adjectives[key] for key in synset.pointed(_SIMILAR))]
    attributes = (things[key].words[0] for head in heads for key in head.pointed(_VALUE_OF))
    return not _SEEN_ATTRIBUTES.isdisjoint(attributes)


def _judged(net: _Net, is_seen: Callable[[_Synset], bool]) -> Iterator[tuple[str, int, bool]]:
    for synset in net:
        seen = is_seen(synset)
        for word, uses in net.used(synset):
            yield word, uses, seen


def _often(judged: Iterable[tuple[str, int, bool]]) -> set[str]:
    """Return the words, in lower case, of which enough uses are seen; every sense counts once more than was counted."""
    seen: dict[str, int] = {}
    used: dict[str, int] = {}
    for word, uses, is_seen in judged:
        used[word.lower()] = used.get(word.lower(), 0) + uses + 1
        seen[word.lower()] = seen.get(word.lower(), 0) + (uses + 1) * is_seen
    return {word for word, uses in used.items() if seen[word] >= _ENOUGH * uses}


def _is_scientific(word: str, genera: set[str]) -> bool:
    """Tell whether a name is like "Tinca tinca": a genus, then words in lower case."""
    genus, _, species = word.partition(" ")
    return bool(species) and species.islower() and genus in genera


def _singulars(word: str) -> Iterator[str]:
    word = word.lower()
    yield word
    for ending, singular in (("ies", "y"), ("ves", "f"), ("men", "man"), ("es", ""), ("s", "")):
        if word.endswith(ending):
            yield word.removesuffix(ending) + singular


def _definition(gloss: str) -> str:
    """Return a gloss without its examples and remarks."""
    definition = re.sub(r"\([^()]*\)", "", gloss.partition('; "')[0])
    return " ".join(definition.partition(";")[0].split())
