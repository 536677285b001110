"""Settings of the page: where the REST API is, the token it asks for, and the names of the page.

The page is a process of its own, so it reads its environment variables itself, and no others.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

API_URL = "XUNTU_UI__API_URL"
TIMEOUT_S = 30.0  # for each answer of the service
API_TOKEN = "XUNTU_API__TOKEN"  # noqa: S105 - the name of a variable
HOSTS = "XUNTU_UI__HOSTS"
MANAGE = "XUNTU_UI__MANAGE"
API_TOKEN_FILE = "XUNTU_API__TOKEN_FILE"  # noqa: S105 - of a file that holds it


class PageSettings(BaseModel):
    """Where the service is. An empty token sends none."""

    model_config = ConfigDict(frozen=True)

    api_url: str = Field("http://127.0.0.1:8000", description="Where the REST API is")
    token: SecretStr = Field(SecretStr(""), description="The bearer token that the page sends; empty: none")
    hosts: str = Field(
        "",
        description="Names under which the page is reached beside those of this machine, parted by commas; empty: "
        "none where it listens on loopback, else any",
    )

    @property
    def host_names(self) -> list[str]:
        """The names in `hosts`."""
        return [name for one in self.hosts.split(",") if (name := one.strip())]

    manage: bool | None = Field(
        None,
        description="Whether the page of the library asks for work; default: where only this machine reaches the page",
    )


def read_settings(environ: Mapping[str, str] | None = None) -> PageSettings:
    """Build the settings from the environment; a variable that is unset or empty leaves the default. Raises OSError."""
    env = os.environ if environ is None else environ
    token = env.get(API_TOKEN, "")
    if not token and (path := env.get(API_TOKEN_FILE, "")):
        token = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    found = {
        "api_url": env.get(API_URL, "").rstrip("/"),
        "token": token,
        "hosts": env.get(HOSTS, ""),
        "manage": env.get(MANAGE, ""),
    }
    return PageSettings.model_validate({name: value for name, value in found.items() if value})
