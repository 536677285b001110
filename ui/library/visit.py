"""One run of the page: the service that it asks, in which language, and what its key lets it do."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import streamlit as st

from api.client import Client, RetryPolicy
from api.client.errors import ApiError, ProblemError
from api.schemas import IndexInfo, JobInfo, RootList
from ui.config import TIMEOUT_S, PageSettings
from ui.gateway.sites import is_loopback
from ui.library.strings import LibraryStrings, words_of

ENDED = ("done", "failed", "cancelled")
_DEFAULT = "default"  # the library that paths without a name mean
_WITHOUT_SCOPE = "forbidden"
_WITHOUT_BUILD = "no_index"


@st.cache_resource(show_spinner=False, on_release=Client.close)
def get_library_client(_settings: PageSettings, url: str) -> Client:
    """Return the one client of this process."""
    return Client(
        url,
        _settings.token.get_secret_value(),
        timeout_s=TIMEOUT_S,
        retry=RetryPolicy(retries=1),
        # The service is a neighbour: never behind a proxy, but SSL_CERT_FILE may name whom it is trusted by.
        http=httpx.Client(verify=httpx.create_ssl_context(), trust_env=False),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a section is drawn from.

    `info`: None until there is a build. `roots`: None where the key of the page has no scope `index`. `jobs` are the
    latest first. `is_written`: whether anybody writes to the library just now. `may_change`: whether the page may ask
    for work.
    """

    client: Client
    lang: str
    timezone: str | None
    info: IndexInfo | None
    roots: RootList | None
    jobs: tuple[JobInfo, ...]
    is_written: bool
    may_change: bool

    @property
    def text(self) -> LibraryStrings:
        """The words of the page."""
        return words_of(self.lang)

    @property
    def open_job(self) -> JobInfo | None:
        """The job that runs, or the next that waits."""
        waiting = [job for job in reversed(self.jobs) if job.state not in ENDED]
        return next((job for job in waiting if job.state == "running"), waiting[0] if waiting else None)


def begin_visit(client: Client, lang: str, timezone: str | None, library: str | None, settings: PageSettings) -> Visit:
    """Ask the service what there is. Raises ApiError where it does not answer, or lets nobody in."""
    client = client.with_language(lang)
    names = [one.name for one in client.libraries().libraries]
    if library is None and names and _DEFAULT not in names:  # which the key of the page may not ask
        library = names[0]
    client = client.with_library(library)
    try:
        info = client.index()
    except ProblemError as error:
        if error.code != _WITHOUT_BUILD:
            raise
        info = None
    roots: RootList | None = None
    jobs: tuple[JobInfo, ...] = ()
    try:
        roots, jobs = client.roots(), tuple(client.jobs().jobs)
    except ProblemError as error:
        if error.code != _WITHOUT_SCOPE:
            raise
    return Visit(
        client=client,
        lang=lang,
        timezone=timezone,
        info=info,
        roots=roots,
        jobs=jobs,
        is_written=client.progress().is_running,
        may_change=roots is not None and may_manage(settings, str(st.get_option("server.address") or "")),
    )


def may_manage(settings: PageSettings, address: str) -> bool:
    """Say whether the page asks for work: as it is set, or else where only this machine reaches it.

    One that has a name elsewhere is reached from there, through a proxy that only looks like this machine.
    """
    if settings.manage is not None:
        return settings.manage
    return all(is_loopback(name) for name in (address, *settings.host_names))


def has_build(client: Client) -> bool:
    """Say whether there is a build by now."""
    try:
        client.index()
    except ApiError:
        return False
    return True


def is_without_scope(error: ApiError) -> bool:
    """Say whether what was asked needs more than the key of the page may do."""
    return error.code == _WITHOUT_SCOPE
