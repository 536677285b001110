"""The name of a thing -> sentences that hold it, as the captions do that encoders are trained on (arXiv 2103.00020)."""

import re
from collections.abc import Iterator

from models.language.text import Language, detect_language

# `{}` is the name, `{a}` the name with its article.
TEMPLATES: dict[Language, tuple[str, ...]] = {
    "zh": ("{}", "一张{}的照片", "{}的图片", "照片里有{}", "{}的特写"),
    "en": ("{}", "a photo of {a}", "a picture of the {}", "a photo with {a} in it", "a close-up photo of {a}"),
}

# A name has no mark and no word that joins others to a phrase or a sentence.
_CHINESE_NAME = re.compile(r"(?!.*[的地得在着了过是有和与从把被让正])(?:[\u3400-\u9fff]|[A-Za-z0-9]++){1,6}")
_ENGLISH_NAME = re.compile(
    r"(?:an?\s+|the\s+)?"
    r"(?P<name>(?!.*\b(?:an?|the|of|in|on|at|by|to|for|from|with|without|and|or|no|not|is|are|was|were|it|its|this|that|my|"
    r"his|her|their)\b)[^\W_][\w'-]*(?:\s[\w'-]+){0,2})",
    re.IGNORECASE,
)


def list_sentences(text: str) -> Iterator[str]:
    """Yield a normalised text, and the sentences of its language with it where it is a name of one to three words."""
    yield text
    language = detect_language(text)
    if language == "en":
        name = _ENGLISH_NAME.fullmatch(text)
        if name:
            plain = name["name"]
            with_article = plain if plain.endswith("s") else f"{'an' if plain[0] in 'aeiouAEIOU' else 'a'} {plain}"
            yield from (template.format(plain, a=with_article) for template in TEMPLATES["en"])
    elif language in ("zh", "mixed") and _CHINESE_NAME.fullmatch(text):
        yield from (template.format(text) for template in TEMPLATES["zh"])
