"""The words of a sum as a person writes them, such as `2:雪山 -人` -> texts and their weights."""

import re
from collections.abc import Sequence

_SIGN_AND_WEIGHT = re.compile(r"(?P<sign>[+-]?)(?:(?P<weight>\d+(?:\.\d+)?)[:：](?!\d))?(?P<text>.*)", re.DOTALL)


def read_terms(terms: Sequence[str]) -> list[tuple[str, float]]:
    """Return texts and weights: `2:雪山` counts twice, `-人` or `-0.5:人` is away from it.

    Words without sign and weight are one text, as they would be inside quotes; the 16 of 16:9 is no weight.
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
