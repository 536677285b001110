"""What MkDocs does to a page before it is rendered."""

import re
from typing import Any

_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_WIDE = r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef“”‘’…]"  # Chinese characters and punctuation
_BREAK = re.compile(rf"(?<={_WIDE})\n *(?={_WIDE})")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Join lines between Chinese characters: in the source they are wrapped, and a browser would show a space."""
    parts = _FENCED.split(markdown)
    return "".join(part if part.startswith("```") else _BREAK.sub("", part) for part in parts)
