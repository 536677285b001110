"""What schemas are made of: strict models, the options of a search as fields, places in a picture."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.search.options import OPTIONS, Option

M = TypeVar("M", bound=BaseModel)

MAX_WHERE_CHARS = 2_000
MAX_CHOICES = 32  # formats, colours or tags in one filter

Language = Annotated[
    Literal["zh", "en", "mixed", "other"], Field(description="zh, en, mixed (Chinese and English), or other")
]
Likelihood = Literal["likely", "maybe", "unlikely"]


class Strict(BaseModel):
    """Refuses fields it does not know, so that a misspelt one is an error and not a silent default."""

    model_config = ConfigDict(extra="forbid")


def with_options(*, words: bool = True) -> Callable[[type[M]], type[M]]:
    """Return what gives a model a field for each option of a search; without `words`, not for those about words.

    A former name of an option is a field of its own, which the OpenAPI document marks as deprecated.
    """
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if words or not option.about_words:
            found[option.name] = _option_field(option)
            if option.former:
                found[option.former] = _former_field(option)

    def extend(model: type[M]) -> type[M]:
        extended: type[M] = create_model(
            model.__name__, __base__=model, __module__=model.__module__, __doc__=model.__doc__, **found
        )
        return extended

    return extend


def _option_field(option: Option) -> tuple[Any, Any]:
    if option.is_list:
        return list[str], Field(list(option.default), max_length=option.max_items, description=option.description)
    return option.type, Field(option.default, ge=option.low, le=option.high, description=option.description)


def _former_field(option: Option) -> tuple[Any, Any]:
    kind, _ = _option_field(option)
    description = f"The former name of {option.name}"
    return kind | None, Field(None, max_length=option.max_items, deprecated=True, description=description)


class Region(BaseModel):
    """A place in a picture, in pixels of the upright picture."""

    x: int
    y: int
    width: int
    height: int
