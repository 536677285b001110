"""The twelve everyday names that dominant colours have, in both languages."""

from dataclasses import dataclass

# The order is part of the catalog (bit positions): append only.
NAMES = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
    "brown",
)
NAMES_ZH = ("黑", "灰", "白", "红", "橙", "黄", "绿", "青", "蓝", "紫", "粉", "棕")
_ALIASES = {"gray": "grey", "teal": "cyan", "violet": "purple", "橘": "orange", "褐": "brown", "粉红": "pink"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DominantColour:
    """A dominant colour: its name, its mean as #rrggbb, and its share of the picture, 0..1."""

    name: str
    hex: str
    share: float


def colour_name(text: str) -> str | None:
    """Return the English name for a colour word in English or Chinese, or None."""
    word = text.strip().lower().removesuffix("色")
    word = _ALIASES.get(word, word)
    if word in NAMES_ZH:
        return NAMES[NAMES_ZH.index(word)]
    return word if word in NAMES else None


def colour_mask(names: tuple[str, ...]) -> int:
    """Return the bits of `names`."""
    return sum({1 << NAMES.index(name) for name in names})
