"""Help and complaints of commands in the person's language: English stands in the code, Chinese in the catalogues."""

import gettext
import re
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from models.foundation.messages import DOMAIN, Message, is_chinese, mark, recognise, translate

_SHOWN = ("help", "short_help", "epilog", "show_default", "deprecated")
_REFUSAL: type[Exception] = typer.BadParameter.__mro__[2]  # what typer raises for every mistake in a command line
# What typer says of mistakes; it has its other words translated itself.
_COMPLAINTS = (
    mark("Invalid value for {name}: {why}"),
    mark("Missing argument {name}."),
    mark("Missing option {name}."),
    mark("No such option: {name} (Possible options: {others})"),
    mark("No such option: {name} Did you mean {others}?"),
    mark("No such option: {name}"),
    mark("Got unexpected extra argument(s) ({words})"),
    mark("Got unexpected extra argument ({words})"),
    mark("Got unexpected extra arguments ({words})"),
    mark("Option {name} requires an argument."),
    mark("Option {name} does not take a value."),
)


def list_help(command: Any) -> Iterator[str]:
    """Yield the texts that `--help` shows of a command, its parameters and its subcommands."""
    for _, _, text in _texts(command):
        yield text


def translate_help(command: Any, language: str) -> Any:
    """Return a command with its texts, those of its parameters and subcommands in `language`."""
    for holder, name, text in list(_texts(command)):
        setattr(holder, name, translate(text, language))
    return command


def speaking(command: Any, language: str) -> Any:
    """Return a command whose help, and what it says of mistakes in a command line, are in `language`."""
    if is_chinese(language):
        translate_help(command, language)
        gettext.bindtextdomain(DOMAIN, Path(__file__).parents[1] / "locale")
        gettext.textdomain(DOMAIN)  # typer looks its own words up in the domain in use, when it first needs them
        for one in _commands(command):
            one.format_help = _folding(one.format_help)
        for call in ("make_context", "invoke"):
            setattr(command, call, _explaining(getattr(command, call), language))
    return command


def explain(error: Exception, said: str) -> Message | None:
    """Return what typer `said` of a mistake as a message, None where it says something that is not known here."""
    from pydantic import ValidationError

    from models.foundation.validation import validation_reason

    found = recognise(said, _COMPLAINTS)
    if found and isinstance(error.__cause__, ValidationError):
        return Message(found.template, {**found.fields, "why": validation_reason(error.__cause__.errors()[0])})
    return found


def _explaining(call: Callable[..., Any], language: str) -> Callable[..., Any]:
    """Return a call whose complaints are in `language`."""

    @wraps(call)
    def explaining(*arguments: Any, **options: Any) -> Any:
        try:
            return call(*arguments, **options)
        except _REFUSAL as error:
            refusal: Any = error
            said = refusal.format_message()
            explained = explain(error, said)
            text = explained.text(language) if explained else said
            refusal.format_message = lambda: text
            raise

    return explaining


def _folding(format_help: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that breaks lines inside of words, as a Chinese clause is one; typer would cut off the rest."""

    @wraps(format_help)
    def folding(*arguments: Any) -> Any:
        from rich.text import Text
        from typer import rich_utils

        module, name = vars(rich_utils), "_make_rich_text"
        make = module[name]

        def make_folding(*texts: Any, **options: Any) -> Any:
            text = make(*texts, **options)
            if isinstance(text, Text):
                text.overflow = "fold"
            return text

        module[name] = make_folding
        try:
            return format_help(*arguments)
        finally:
            module[name] = make

    return folding


def _commands(command: Any) -> Iterator[Any]:
    yield command
    for subcommand in getattr(command, "commands", {}).values():
        yield from _commands(subcommand)


def _texts(command: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield what holds a text, the name it has there, and the text, a line a paragraph."""
    for one in _commands(command):
        for holder in (one, one.get_help_option(typer.Context(one)), *one.params):
            for name in _SHOWN:
                text = getattr(holder, name, None)
                if isinstance(text, str) and (name != "show_default" or " " in text):  # others are values: 8000, auto
                    yield holder, name, re.sub(r"(?<!\n)\n(?!\n)", " ", text)
