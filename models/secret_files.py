"""Secrets out of files: XUNTU_API__TOKEN_FILE=/run/secrets/token is XUNTU_API__TOKEN with what that file holds.

So that no secret stands in an environment, which other processes of the user, and `docker inspect`, show.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from models.foundation.errors import InvalidSetting
from models.foundation.messages import message, os_message

FILE_SUFFIX = "_FILE"
_PREFIX = "XUNTU_"
_MOST_BYTES = 64 * 1024


class SecretFiles(PydanticBaseSettingsSource):
    """Gives each secret setting what the file holds that NAME_FILE names. Raises InvalidSetting."""

    def __init__(self, settings: type[BaseSettings], environ: Mapping[str, str] | None = None) -> None:
        super().__init__(settings)
        self._environ = {name.upper(): value for name, value in (os.environ if environ is None else environ).items()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return nothing: fields are looked up all at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the settings that are given by files, nested as the model is."""
        return self._read(self.settings_cls, _PREFIX)

    def _read(self, model: type[BaseModel], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            variable = f"{prefix}{name.upper()}"
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                if inner := self._read(kind, f"{variable}__"):
                    found[name] = inner
            elif is_secret(field) and (path := self._environ.get(variable + FILE_SUFFIX)):
                found[name] = read_secret(variable, path, self._environ)
        return found


def read_secret(variable: str, path: str, environ: Mapping[str, str]) -> str:
    """Return what a file holds, without the end of its line. Raises InvalidSetting, also where both are given."""
    name = variable + FILE_SUFFIX
    if environ.get(variable):
        raise InvalidSetting(name, path, message("{variable} is set as well; one of the two", variable=variable))
    try:
        with Path(path).open("rb") as file:
            secret = file.read(_MOST_BYTES).decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise InvalidSetting(name, path, os_message(error)) from error
    except UnicodeDecodeError as error:
        raise InvalidSetting(name, path, message("it is no text in UTF-8")) from error
    if not secret:
        raise InvalidSetting(name, path, message("the file is empty"))
    return secret


def list_secret_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the files that are named for secrets."""
    return [
        Path(value)
        for name, value in environ.items()
        if name.upper().startswith(_PREFIX) and name.upper().endswith(FILE_SUFFIX) and value
    ]


def is_secret(field: FieldInfo) -> bool:
    """Say whether a setting is one that nobody may see."""
    return "SecretStr" in str(field.annotation) or field.annotation is SecretStr
