"""Names of uploaded files: safe on every system, and such that the indexer takes the file."""

import re
import unicodedata

from api.http.kept_pictures.errors import UnreadKind, UnsafeName
from models.foundation.messages import message
from models.pictures.errors import decode_reason
from models.pictures.formats import is_read, why_unread

_MOST_BYTES = 200  # a number may be added, and file systems take 255
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_TAKEN = '<>:"|?*'
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # spaces are fine: systems put several kinds into names
_JOINERS = "\u200c\u200d"  # between letters of some scripts, and in emoji


def check_name(name: str) -> str:
    """Return a name in the normal form of Unicode. Raises UnsafeName for what is no plain name; nothing is mended."""
    name = unicodedata.normalize("NFC", name)
    if not name:
        raise UnsafeName(name, message("it is empty"))
    if "/" in name or "\\" in name:
        raise UnsafeName(name, message("it is a path"))
    if any(one in _TAKEN or (unicodedata.category(one) in _UNSEEN and one not in _JOINERS) for one in name):
        raise UnsafeName(name, message("it has characters that names of files do not have everywhere"))
    if name[0] == "." or name[-1] == "." or name.strip() != name or _DEVICES.fullmatch(name):
        raise UnsafeName(name, message("systems take it for something else, or hide it"))
    if len(name.encode()) > _MOST_BYTES:
        raise UnsafeName(name, message("it is longer than {most} bytes", most=_MOST_BYTES))
    return name


def check_suffix(name: str) -> str:
    """Return the suffix of a name in small letters, "" without one. Raises UnreadKind for one that is not read."""
    stem, dot, rest = name.rpartition(".")
    suffix = f".{rest.lower()}" if dot and stem else ""
    if suffix and not is_read(suffix):
        raise UnreadKind(name, decode_reason(*(why_unread(suffix) or ("unread", suffix[1:].upper()))))
    return suffix
