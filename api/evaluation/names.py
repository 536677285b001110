"""What people read for the words that reports and tables hold: tasks, languages, kinds of queries, verdicts."""

from collections.abc import Sequence

from models.foundation.messages import mark

_WORDS = {  # those that stand in the catalogue
    mark("text->image"),
    mark("image->text"),
    mark("image->image"),
    mark("name->image"),
    mark("zero-shot"),
    mark("presence"),
    mark("presence less level"),
    mark("turned 90"),
    mark("turned 180"),
    mark("turned 270"),
    mark("turned"),
    mark("zh"),
    mark("en"),
    mark("mixed"),
    mark("other"),
    mark("all"),
    mark("picture"),
    mark("better"),
    mark("worse"),
    mark("unclear"),
}
_FIRST = 5


def first_few(names: Sequence[str]) -> list[str]:
    """Return the first of many names, and a sign that there are more."""
    return [*names[:_FIRST], "…"] if len(names) > _FIRST else list(names)
