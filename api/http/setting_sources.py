"""The settings of the service as they may be shown: what each is, and where it comes from."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource

from api import schemas
from api.config import Settings
from indexer.library.addresses.shown import shown_address
from models.config import load_settings
from models.foundation.errors import ImageSearchError
from models.foundation.messages import translate
from models.secret_files import FILE_SUFFIX, is_secret

_PREFIX = "XUNTU_"
_TELLING = ("webhook",)  # addresses whose way alone may let whoever has it in


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where settings come from besides their defaults; names in upper case."""

    environment: frozenset[str]
    env_file: frozenset[str]
    read: Settings  # what they say together


def list_settings(settings: Settings, language: str = "en") -> list[schemas.SettingInfo]:
    """Return the settings of a service that was started with `settings`, in the order they are declared in.

    What each sets is said in `language`. Not for the loop: `.env` is read.
    """
    given = frozenset(name.upper() for name, value in os.environ.items() if value)
    in_file = DotEnvSettingsSource(Settings).env_vars
    try:
        read = load_settings(Settings)
    except ImageSearchError:  # `.env` has been changed since the start, and cannot be read
        read = settings
    sources = _Sources(given, frozenset(name.upper() for name, value in in_file.items() if value), read)
    found = list(_list(settings, sources.read, _PREFIX, sources))
    return [one.model_copy(update={"description": translate(one.description, language)}) for one in found]


def list_descriptions(model: type[BaseModel] = Settings) -> Iterator[str]:
    """Yield what settings set, as it is said in English."""
    for field in model.model_fields.values():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from list_descriptions(kind)
        elif field.description:
            yield field.description


def _list(of: BaseModel, read: BaseModel, prefix: str, sources: _Sources) -> Iterator[schemas.SettingInfo]:
    for name, field in type(of).model_fields.items():
        value, told = getattr(of, name), getattr(read, name)
        if isinstance(value, BaseModel):
            yield from _list(value, told, f"{prefix}{name.upper()}__", sources)
            continue
        alias = field.validation_alias
        names = [*map(str, alias.choices)] if isinstance(alias, AliasChoices) else [f"{prefix}{name.upper()}"]
        hidden = is_secret(field)
        yield schemas.SettingInfo(
            name=names[0],
            value=None if hidden else _shown(name, value),
            is_secret=hidden,
            is_set=value not in (None, "", {}),
            source=_find_source(names, value, told, field, sources),
            description=field.description or "",
        )


def _find_source(
    names: list[str], value: object, read: object, field: FieldInfo, sources: _Sources
) -> schemas.SettingSource:
    """Return what has set a value: the strongest of what names it, as `load_settings` takes them."""
    if value != read:
        return "start"
    every = {part for name in names for part in (name, *_nested(name))}
    if every & sources.environment or _begins(names, sources.environment, value):
        return "environment"
    if any(name + FILE_SUFFIX in sources.environment for name in names):
        return "secret file"
    if every & sources.env_file or _begins(names, sources.env_file, value):
        return ".env"
    return "default" if value == field.get_default(call_default_factory=True) else "start"


def _nested(name: str) -> Iterator[str]:
    """Yield the variables that set what a setting belongs to as a whole, as XUNTU_API does in JSON."""
    while "__" in name:
        name = name.rpartition("__")[0]
        yield name


def _begins(names: list[str], variables: frozenset[str], value: object) -> bool:
    """Say whether variables set entries of a setting that is a mapping: XUNTU_LIBRARIES__PETS."""
    is_mapping = isinstance(value, Mapping)
    return is_mapping and any(one.startswith(f"{name}__") for name in names for one in variables)


def _shown(name: str, value: Any) -> str | None:
    """Return a value as it may be shown; None for none."""
    if value in (None, "", {}) or isinstance(value, SecretStr):
        return None
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(name, one)}" for key, one in value.items())
    if isinstance(value, Path) or name == "job_roots":
        return os.pathsep.join(map(_shown_path, str(value).split(os.pathsep)))
    address = shown_address(str(value))
    return f"{urlsplit(address).scheme}://{urlsplit(address).hostname}/…" if name in _TELLING else address


def _shown_path(text: str) -> str:
    """Return a path without where it lies: its last two names."""
    path = Path(text)
    return "/".join(["…", *path.parts[1:][-2:]]) if path.is_absolute() else text
