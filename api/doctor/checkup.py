"""All checks, in order. Each is real: what cannot be looked at here is not reported."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from api.config import Settings
from api.doctor.findings import Finding, problem
from api.doctor.known import Situation, look_around
from api.doctor.library import check_boards, check_library, check_lock, check_permissions, check_secrets, check_weights
from api.doctor.machine import check_clock, check_disk, check_limits
from api.doctor.packages import check_gpu, check_packages
from api.doctor.surroundings import check_access, check_network, check_ports, check_settings
from indexer.config import IndexerSettings
from models.config import load_settings
from models.foundation.errors import ImageSearchError
from models.foundation.messages import message, os_message
from models.secret_files import list_secret_files

logger = logging.getLogger(__name__)

_CHECKS: tuple[Callable[[Situation], Iterator[Finding]], ...] = (
    check_packages,
    check_gpu,
    check_disk,
    check_limits,
    check_clock,
    check_library,
    check_boards,
    check_lock,
    check_permissions,
    check_weights,
    check_access,
    check_ports,
    check_network,
)


def examine(data: Path | None) -> list[Finding]:
    """Return what all checks find. A setting that cannot be used is a finding; then only settings are looked at."""
    found = list(check_settings(os.environ))
    found += check_secrets([path for path in (Path(".env"), *list_secret_files(os.environ)) if path.is_file()])
    try:
        known = look_around(load_settings(IndexerSettings, data=data), load_settings(Settings, data=data))
    except ImageSearchError as error:
        return [*found, problem("settings", error)]
    found += check_secrets([known.keys_file])
    for check in _CHECKS:
        try:
            found += check(known)
        except OSError as error:
            name = check.__name__.removeprefix("check_")
            found.append(problem(name, message("It cannot be looked at: {why}", why=os_message(error))))
    return found
