"""A Ray cluster: joined or started, left again; and the workers that suit its machines."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any, cast

from indexer.errors import ClusterUnreachable
from models.foundation.devices import CPU, count_cpus
from models.foundation.errors import BackendNotInstalled
from models.foundation.messages import verbatim

logger = logging.getLogger(__name__)

OWN = "local"  # Ray's word for a cluster that is started by whoever asks, and ends with it
_OWN_STORE_BYTES = 512 * 2**20
_CONNECT_S = 10.0
_CLIENT_TRIES = 3
# Read where the package is imported: a cluster of one machine stays on its loopback interface.
_OWN_ENVIRONMENT = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A machine that is busy takes longer than Ray gives it.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_raylet_start_wait_time_s": "240",
}


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """What a worker of a cluster has: processors, and GPUs, of which one or none."""

    cpus: int
    gpus: int

    @property
    def device(self) -> str:
        """The device that it encodes on: it sees no other GPU than its own."""
        return "cuda:0" if self.gpus else CPU


def read_address(engine: str) -> str:
    """Return what Ray calls the cluster that a setting names: OWN, ray://HOST:PORT, or HOST:PORT."""
    if engine == "ray":
        return OWN
    return engine if engine.startswith("ray://") else engine.removeprefix("ray:")


def load_ray(address: str = OWN) -> Any:
    """Return the package. Raises BackendNotInstalled."""
    try:
        import ray

        if address.startswith("ray://"):
            import grpc  # type: ignore[import-untyped,unused-ignore]  # noqa: F401 - what the client of a cluster speaks
    except ImportError as error:
        raise BackendNotInstalled("ray[client]", "ray") from error
    return ray


@contextmanager
def joined(address: str, *, cpus: int | None = None) -> Iterator[Any]:
    """Join a cluster, or start one with so many processors of this machine; yield the package. Leave it at the end.

    Raises ClusterUnreachable and BackendNotInstalled.
    """
    is_own = address == OWN
    for name, value in {**_ENVIRONMENT, **(_OWN_ENVIRONMENT if is_own else {})}.items():
        os.environ.setdefault(name, value)
    ray = load_ray(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    if ray.is_initialized():  # by the program that this is a part of, which goes on with it
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if is_own:
        options |= {
            "num_cpus": cpus or count_cpus(),
            "object_store_memory": _OWN_STORE_BYTES,
            "include_dashboard": False,
        }
    else:
        _check_reachable(address)
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if is_main else None
    try:
        _join(ray, address, options)
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own in place, which ends the process without a word
    try:
        with redirect_stdout(cast("Any", _WithoutRay(sys.stdout))):
            yield ray
    finally:
        ray.shutdown()


class _WithoutRay:
    """Standard output, where results belong, without what a thread of Ray prints there of workers that died."""

    def __init__(self, output: Any) -> None:
        self._output = output

    def write(self, text: str) -> int:
        if threading.current_thread().name.startswith("ray_"):
            logger.debug("%s", text.rstrip())
            return len(text)
        return int(self._output.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._output, name)


def _join(ray: Any, address: str, options: Mapping[str, Any]) -> None:
    """Join or start a cluster. Raises ClusterUnreachable.

    What serves a client is a process that a busy head may take too long to start: it is asked again.
    """
    for left in reversed(range(_CLIENT_TRIES if address.startswith("ray://") else 1)):
        try:
            ray.init(address=address, **options)
            return
        except (ConnectionError, OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            ray.shutdown()
            if not left:
                why = str(error).strip().partition("\n")[0] or type(error).__name__
                raise ClusterUnreachable(address, verbatim(why)) from error


def _check_reachable(address: str) -> None:
    """Raise ClusterUnreachable where nothing listens; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterUnreachable(address, verbatim(str(error))) from error


def list_workers(
    nodes: Sequence[Mapping[str, Any]], *, uses_gpu: bool, cpus_each: int, most: int | None = None
) -> list[WorkerKind]:
    """Return the workers for a cluster's machines: one a GPU if there is any, else one for so many processors.

    A GPU's worker has its share of the processors of its machine, which read for it. `most` workers at most.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    found: list[WorkerKind] = []
    if uses_gpu:
        for has in alive:
            gpus = int(has.get("GPU", 0))
            found += gpus * [WorkerKind(max(1, int(has.get("CPU", 0)) // max(1, gpus)), 1)]
    if not found:
        for has in alive:
            cpus = int(has.get("CPU", 0))
            found += [WorkerKind(min(cpus, cpus_each), 0)] * (max(1, cpus // cpus_each) if cpus else 0)
    return found if most is None else found[:most]
