"""The libraries of a service: one that is reached without a name, and others that are named."""

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

    def __init__(self, settings: Settings, metrics: Metrics, tracing: Tracing) -> None:
        self._shared = Shared(settings.api, metrics, tracing)
        self._services = {DEFAULT_LIBRARY: Service(settings, metrics, self._shared)}
        for name, folder in settings.libraries.items():
            own = settings.model_copy(update={"data": folder.expanduser().absolute(), "libraries": {}})
            self._services[name] = Service(own, metrics, self._shared, name=name)

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

    async def stop(self) -> None:
        """Stop all."""
        for service in self._services.values():
            await service.stop()
        self._shared.close()
