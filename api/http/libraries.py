"""The libraries of a service: one that is reached without a name, and others that are named."""

import asyncio
import logging
from collections.abc import Iterator

from api.config import DEFAULT_LIBRARY, Settings
from api.http.door.admission import Admission
from api.http.metrics import Metrics
from api.http.refusals import LibraryUnknown
from api.http.service import Service
from api.http.shared import Shared
from api.http.tracing import Tracing
from models.foundation.errors import ImageSearchError

logger = logging.getLogger(__name__)


class Libraries:
    """A service for each library. They share the door, threads, decoding, and encoders that are the same."""

    def __init__(self, settings: Settings, metrics: Metrics, tracing: Tracing, *, looks_after: bool = True) -> None:
        self._shared = Shared(settings.api, metrics, tracing)
        self._services = {DEFAULT_LIBRARY: Service(settings, metrics, self._shared, looks_after=looks_after)}
        for name, folder in settings.libraries.items():
            # What is sent over HTTP is kept for the default library: in one folder that of each would be that of all.
            api = settings.api.model_copy(update={"upload_root": None})
            changes = {"data": folder.expanduser().absolute(), "libraries": {}, "api": api}
            own = settings.model_copy(update=changes)
            self._services[name] = Service(own, metrics, self._shared, name=name, looks_after=looks_after)

    @property
    def default(self) -> Service:
        """The service of the library that is reached without a name."""
        return self._services[DEFAULT_LIBRARY]

    @property
    def admission(self) -> Admission:
        """The door's count of requests."""
        return self._shared.admission

    def find(self, name: str) -> Service:
        """Return the service of a library. Raises LibraryUnknown."""
        if name not in self._services:
            raise LibraryUnknown(name)
        return self._services[name]

    def list_for(self, names: frozenset[str] | None) -> Iterator[tuple[str, Service]]:
        """Yield the libraries that are among `names`, or all, with their services."""
        for name, service in self._services.items():
            if names is None or name in names:
                yield name, service

    async def start(self) -> None:
        """Open all. Raises what opening the default one raises; another that cannot be opened is tried again."""
        for service in self._services.values():
            try:
                await service.start()
            except (ImageSearchError, OSError) as error:
                if service is self.default:
                    raise
                logger.error("the library %s is not served: %s", service.name, error)
                service.follow()

    def begin_to_stop(self) -> None:
        """Have no job begun any more, and let the streams of jobs end."""
        for service in self._services.values():
            service.jobs.is_stopping = True

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(service.stop() for service in self._services.values()))
        self._shared.close()
