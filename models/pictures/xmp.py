"""XMP packets -> the properties that people write: titles, descriptions, keywords, people, ratings, dates."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

_MOST_BYTES: Final = 2**20
_MOST_VALUES: Final = 200  # of a property
_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_REGIONS: Final = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_MICROSOFT_REGION: Final = "{http://ns.microsoft.com/photo/1.2/t/Region#}PersonDisplayName"
_NAMES: Final = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://www.digikam.org/ns/1.0/": "digiKam",
    "http://ns.acdsee.com/iptc/1.0/": "acdsee",
}
_START: Final = re.compile(rb"<(?:[A-Za-z]{1,20}:)?(?:xmpmeta|RDF)\b")
_DEEPEST: Final = 64  # elements in each other


@dataclass(frozen=True, slots=True)
class Xmp:
    """Properties by their usual names ("dc:subject"), each with its values in order; and names of people in regions."""

    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: tuple[str, ...] = ()

    def first(self, *names: str) -> str:
        """Return the first value of the first of some properties that has one."""
        return next((self.properties[name][0] for name in names if self.properties.get(name)), "")

    def all(self, *names: str) -> tuple[str, ...]:
        """Return the values of some properties, each once."""
        return tuple(dict.fromkeys(value for name in names for value in self.properties.get(name, ())))


@lru_cache(maxsize=4)  # several annotators ask for the same
def read_xmp(packet: bytes) -> Xmp:
    """Return what a packet says, nothing where it cannot be read.

    What stands before and behind it is not looked at, and a document type ends the reading: it has no place in XMP.
    """
    if packet[:2] in (b"\xfe\xff", b"\xff\xfe"):
        packet = packet.decode("utf-16", "replace").encode()
    start = _START.search(packet[:_MOST_BYTES])
    if start is None or len(packet) > _MOST_BYTES:
        return Xmp()
    try:
        root = _parse(packet[start.start() : packet.rfind(b">") + 1])
    except (expat.ExpatError, ValueError, LookupError):
        return Xmp()
    properties: dict[str, dict[str, None]] = {}
    for name, value in _properties(root):
        values = properties.setdefault(name, {})
        if len(values) < _MOST_VALUES:
            values[value] = None
    people = dict.fromkeys(name for element in root.iter() for name in _people(element))
    return Xmp({name: tuple(values) for name, values in properties.items()}, tuple(people)[:_MOST_VALUES])


class _Ended(Exception):
    """The packet has been read; what follows is none of it."""


def _parse(packet: bytes) -> ET.Element:
    """Return the first element. Raises ValueError for a document type, and for too many elements in each other."""
    builder, parser, depth = ET.TreeBuilder(), expat.ParserCreate(namespace_separator="}"), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(name)
        builder.start(_qualified(name), {_qualified(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_qualified(name))
        if not depth:
            raise _Ended

    def refuse(*_: object) -> None:
        raise ValueError

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    with contextlib.suppress(_Ended):
        parser.Parse(packet, True)
    return builder.close()


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name


def read_rating(value: object) -> int | None:
    """Return a rating of 1 to 5, or -1 for a picture that was rejected; None for anything else."""
    try:
        rating = round(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return rating if rating in {-1, 1, 2, 3, 4, 5} else None


def _properties(root: ET.Element) -> Iterator[tuple[str, str]]:
    for description in root.iter(f"{_RDF}Description"):
        for name, value in description.attrib.items():
            if (short := _short(name)) and value.strip():
                yield short, value.strip()
        for child in description:
            if short := _short(child.tag):
                for item in list(child.iter(f"{_RDF}li")) or [child]:
                    if text := (item.text or "").strip():
                        yield short, text


def _people(element: ET.Element) -> Iterator[str]:
    """Yield the name of a person that a region of the picture has, of the two ways to write it."""
    if name := _part(element, _MICROSOFT_REGION):
        yield name
    if (name := _part(element, f"{_REGIONS}Name")) and _part(element, f"{_REGIONS}Type") in {"", "Face"}:
        yield name


def _part(element: ET.Element, name: str) -> str:
    return (element.get(name) or element.findtext(name) or "").strip()


def _short(name: str) -> str:
    space, _, local = name.removeprefix("{").rpartition("}")
    return f"{_NAMES[space]}:{local}" if space in _NAMES else ""
