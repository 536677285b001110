"""Tickets: what was asked for, kept for some minutes in a folder, so that any process of the service can answer it.

Each is a file, named by random bits that nobody guesses. It says whose it is: nobody else gets what it is for. Where
the library has a storage it lies there as well, for other machines that answer.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.http.tickets.errors import TicketsUnavailable, TicketUnknown
from indexer.library.storage.shared_files import SharedFiles
from models.foundation.files import JSON_ERRORS
from models.foundation.messages import os_message

VALID_S: Final = 600
_MOST: Final = 1_000  # at a time; the oldest make room
_ID: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a download is fetched by, until `expires_at`, seconds since 1970."""

    id: str
    expires_at: float


class TicketStore:
    """Keeps tickets in a folder. Safe to use from several threads and processes."""

    def __init__(
        self, folder: Path, *, shared: SharedFiles | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """`shared` is for other machines; `now`: seconds since 1970."""
        self._folder = folder
        self._shared = shared
        self._now = now

    def give(self, order: dict[str, Any], owner: str) -> Ticket:
        """Keep what `owner` asked for, and return the ticket. Raises TicketsUnavailable."""
        ticket = Ticket(secrets.token_urlsafe(24), self._now() + VALID_S)
        text = json.dumps({"owner": owner, "expires_at": ticket.expires_at, "order": order})
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._clean()
            path = self._folder / ticket.id
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as file:
                file.write(text)
            os.utime(path, (ticket.expires_at, ticket.expires_at))
        except OSError as error:
            raise TicketsUnavailable(os_message(error)) from error
        if self._shared:
            self._shared.put(ticket.id, text.encode())
        return ticket

    def read(self, ticket_id: str, owner: str) -> Any:
        """Return what was asked for, as often as is asked while the ticket is valid. Raises TicketUnknown."""
        if not _ID.fullmatch(ticket_id):
            raise TicketUnknown
        try:
            kept = json.loads(self._read(ticket_id))
            if kept["owner"] != owner or kept["expires_at"] <= self._now():
                raise TicketUnknown
            return kept["order"]
        except JSON_ERRORS as error:
            raise TicketUnknown from error

    def clean_shared(self) -> None:
        """Delete what is over where other machines see it."""
        if self._shared:
            self._shared.clean(VALID_S)

    def _read(self, ticket_id: str) -> bytes:
        try:
            return (self._folder / ticket_id).read_bytes()
        except FileNotFoundError:
            found = self._shared.get(ticket_id) if self._shared else None
            if found is None:
                raise
            return found.data

    def _clean(self) -> None:
        """Delete what is over, by the times of the files, and where there are too many the first of the others."""
        with os.scandir(self._folder) as entries:
            kept = sorted((entry.stat().st_mtime, entry.path) for entry in entries if _ID.fullmatch(entry.name))
        too_many = len(kept) - _MOST + 1
        for number, (expires_at, path) in enumerate(kept):
            if number < too_many or expires_at <= self._now():
                with suppress(OSError):
                    Path(path).unlink(missing_ok=True)
