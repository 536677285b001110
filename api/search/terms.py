"""The words of a sum as a person writes them, such as `2:雪山 -人` -> texts and their weights."""

import re
from collections.abc import Sequence

# Of years, times and titles the numbers are no weights: "2001: A Space Odyssey", "007:…", "16:9", "9: …".
_WEIGHT = r"(?:0|[1-9]\d?)(?:\.\d+)?"
_SIGN_AND_WEIGHT = re.compile(rf"(?P<sign>[+-]?)(?:(?P<weight>{_WEIGHT})[:：](?![\d\s]))?(?P<text>.*)", re.DOTALL)


def read_terms(terms: Sequence[str]) -> list[tuple[str, float]]:
    """Return texts and weights: `2:雪山` counts twice, `-人` or `-0.5:人` is away from it.

    Words without sign and weight are one text, as they would be inside quotes. A weight has two digits at most before
    its point, and no space behind its colon.
    """
    plain: list[str] = []
    signed: list[tuple[str, float]] = []
    for term in terms:
        match = _SIGN_AND_WEIGHT.match(term)
        if match is None or not (match["sign"] or match["weight"]):
            plain.append(term)
            continue
        signed.append((match["text"], float(match["weight"] or 1) * (-1 if match["sign"] == "-" else 1)))
    return ([(" ".join(plain), 1.0)] if plain else []) + signed
