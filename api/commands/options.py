"""The options of a search as options of a command."""

from collections.abc import Callable, Iterator
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from api.search.options import OPTIONS, Option


def with_search_options(before: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the options of a search for its `**options`, listed before a parameter of its own."""

    def extend(command: Callable[..., None]) -> Callable[..., None]:
        options = [one for option in OPTIONS for one in _option_parameters(option)]
        own = [one for one in signature(command).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        place = [one.name for one in own].index(before)
        vars(command)["__signature__"] = Signature([*own[:place], *options, *own[place:]])
        command.__annotations__.update({one.name: one.annotation for one in options})
        return command

    return extend


def _option_parameters(option: Option) -> Iterator[Parameter]:
    """Yield the parameter of an option, and one that is not listed for its former name."""
    kind = list[str] | None if option.is_list else str if option.choices else option.type  # Query refuses other words
    default = None if option.is_list else option.default if option.flag_default is None else option.flag_default
    declared = typer.Option(option.flag, min=option.low, max=option.high, help=f"{option.description}.")
    yield _parameter(option.name, Annotated[kind, declared], default)
    if option.former:
        yield _parameter(option.former, Annotated[kind | None, typer.Option(option.former_flag, hidden=True)], None)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
