"""What the checks share: the settings, and what can be told of the library without opening it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from api.config import ApiSettings, Settings
from indexer.config import IndexerSettings
from indexer.library.builds.current import read_current
from indexer.library.builds.manifest import Manifest
from indexer.library.errors import LibraryError, NoIndex
from indexer.library.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`manifest` is that of the build in use, `error` why there is none."""

    settings: IndexerSettings
    api: ApiSettings
    keys_file: Path
    layout: Layout
    manifest: Manifest | None
    error: LibraryError | None

    @property
    def has_library(self) -> bool:
        """Whether there is one, however damaged."""
        return not isinstance(self.error, NoIndex) or self.layout.catalog.exists()

    @property
    def existing_folder(self) -> Path:
        """The folder of the library, or the nearest one above it that there is."""
        return next(path for path in (self.layout.data, *self.layout.data.parents) if path.is_dir())

    @property
    def index_bytes(self) -> int:
        """The bytes of all indexes of the build in use."""
        return sum(entry.bytes for entry in self.manifest.all_indexes) if self.manifest else 0

    @property
    def catalog_bytes(self) -> int:
        """The bytes of the catalog."""
        try:
            return self.layout.catalog.stat().st_size
        except OSError:
            return 0

    @property
    def built_at(self) -> datetime | None:
        """When the build in use was made."""
        try:
            built = datetime.fromisoformat(self.manifest.created_at) if self.manifest else None
        except ValueError:
            return None
        return built if built is None or built.tzinfo else built.replace(tzinfo=UTC)


def look_around(settings: IndexerSettings, service: Settings) -> Situation:
    """Return what the checks share."""
    layout, manifest, found = Layout(settings.data.absolute()), None, None
    try:
        manifest = read_current(layout)
    except LibraryError as error:
        found = error
    return Situation(
        settings=settings, api=service.api, keys_file=service.keys_file, layout=layout, manifest=manifest, error=found
    )
