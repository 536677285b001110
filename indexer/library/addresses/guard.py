"""Names of hosts -> the addresses that are connected to, none of them inside this machine or network.

A name is looked up once. Every address that it has is checked, and connections go to one of those: what the name may
lead to a moment later does not matter.
"""

import socket
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeAlias

from indexer.library.addresses.networks import AllowedHosts, describe_inside, find_inside
from models.pictures.errors import DecodeError

# Family and address of a socket, as connect() takes it; its first item is the IP address.
Endpoint: TypeAlias = tuple[socket.AddressFamily, tuple[Any, ...]]
Resolver: TypeAlias = Callable[[str, int], Sequence[Endpoint]]


def look_up(host: str, port: int) -> list[Endpoint]:
    """Return where a host is, as the system says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


_NOTHING = AllowedHosts()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGuard:
    """What may be connected to. `through_proxy`: the proxies of the environment are used, and look up names."""

    allowed: AllowedHosts = _NOTHING
    through_proxy: bool = False
    resolver: Resolver = look_up

    def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Return where to connect to. Raises DecodeError (url_inside) where any of it is inside, and OSError."""
        found = self.resolver(host, port)
        for _, (written, *_) in found:
            address = ip_address(written)
            kind = find_inside(address)
            if kind is not None and not self.allowed.permits(host, address, kind):
                raise DecodeError("url_inside", str(describe_inside(host, address, kind)))
        return found

    def check_host(self, scheme: str, host: str) -> None:
        """Raise DecodeError (url_inside, url_proxy) for what would not be fetched, as far as is known here.

        A proxy may know names that are not.
        """
        if not self.through_proxy:
            self.check_unproxied(scheme, host)
        with suppress(OSError):
            self.resolve(host, 0)

    def check_unproxied(self, scheme: str, host: str) -> None:
        """Raise DecodeError (url_proxy) where the environment has a proxy for a host that is asked without one."""
        if scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
            raise DecodeError("url_proxy", f"{scheme}://")

    def connect(self, host: str, port: int, timeout_s: Callable[[], float]) -> socket.socket:
        """Return a connection to the first address that answers. Raises DecodeError (url_inside) or OSError."""
        failure: OSError = OSError(f"{host} has no address")
        for family, address in self.resolve(host, port):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout_s())
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connection.close()
                failure = error
            except BaseException:
                connection.close()
                raise
            else:
                return connection
        raise failure
