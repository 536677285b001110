"""What each of several processes may take of what the settings give the service as a whole."""

from api.config import LEAST_DECODE_MEMORY, Settings
from models.foundation.devices import count_cpus

_COUNTS = ("max_texts", "max_pictures", "max_files", "max_archives", "max_body_bytes", "max_connections")


def share_of(settings: Settings) -> Settings:
    """Return the settings of one of `api.workers` processes: limits, memory and threads are shared out.

    Of everything that is counted each has at least one, and of the memory to decode in the least that can be set.
    """
    api, count = settings.api, settings.api.workers
    if count == 1:
        return settings
    changes = {name: max(1, getattr(api, name) // count) for name in _COUNTS}
    changes["decode_workers"] = max(1, api.decoders // count)
    changes["decode_memory_bytes"] = max(LEAST_DECODE_MEMORY, api.decode_memory_bytes // count)
    threads = settings.threads or max(1, count_cpus() // count)
    return settings.model_copy(update={"api": api.model_copy(update=changes), "threads": threads})
