"""IP addresses -> whether they lie inside this machine or network, and the exceptions that a person makes.

Special-purpose ranges: the IANA registries for IPv4 and IPv6.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from models.foundation.messages import Message, Show, message
from models.pictures.errors import INSIDE

IpAddress: TypeAlias = IPv4Address | IPv6Address
IpNetwork: TypeAlias = IPv4Network | IPv6Network

_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?")
# Where clouds tell a machine its secrets; the ranges around them do not all look private.
_METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23", "100.100.100.200"),
            *("168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::a9fe:a9fe"),
        ),
    )
)
_RANGES: tuple[tuple[str, tuple[IpNetwork, ...]], ...] = tuple(
    (kind, tuple(map(ip_network, ranges.split())))
    for kind, ranges in (
        ("machine", "127.0.0.0/8 0.0.0.0/8 ::1/128 ::/128"),
        ("link", "169.254.0.0/16 fe80::/10"),
        ("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10 64:ff9b:1::/48"),
        ("shared", "100.64.0.0/10"),
        ("multicast", "224.0.0.0/4 ff00::/8"),
        ("reserved", "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24"),
        ("reserved", "240.0.0.0/4 ::/96 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


def find_inside(address: IpAddress) -> str | None:
    """Return which kind of INSIDE an address is, None for one of the public internet.

    An IPv4 address within one of IPv6 (mapped, compatible, NAT64, 6to4, Teredo) counts as well.
    """
    every = [address, *_embedded(address)]
    if any(one in _METADATA for one in every):
        return "metadata"
    kinds = [kind for one in reversed(every) for kind, ranges in _RANGES if any(one in within for within in ranges)]
    if kinds:
        return kinds[0]
    return None if all(one.is_global or _is_wrapping(one) for one in every) else "reserved"


def _embedded(address: IpAddress) -> Iterator[IPv4Address]:
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address.sixtofour:
        yield address.sixtofour
    elif address.teredo:
        yield from address.teredo
    elif address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_wrapping(address: IpAddress) -> bool:
    """Say whether an address is what the IPv4 address in it is: a system connects to that."""
    return isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64)


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Exceptions: names of hosts, and networks. A name allows whatever is inside that it leads to, but no metadata."""

    names: frozenset[str] = frozenset()
    networks: tuple[IpNetwork, ...] = ()

    def permits(self, host: str, address: IpAddress, kind: str) -> bool:
        """Say whether a host may lead to an address of this kind of INSIDE; metadata only where it is named itself."""
        every = (address, *_embedded(address))
        if kind == "metadata":
            return any(one in network and network.num_addresses == 1 for one in every for network in self.networks)
        return host in self.names or any(one in network for one in every for network in self.networks)


class InvalidHost(ValueError):
    """What is neither a name of a host, an address nor a network."""

    def __init__(self, written: str) -> None:
        self._message = message(
            "{written!r} is neither a name, an IP address nor a network, such as nas.local, 10.1.2.3 or 10.1.0.0/16",
            written=written,
        )
        super().__init__(str(self._message))

    def text(self, language: str, show: Show = str) -> str:
        """Return the sentence in a language."""
        return self._message.text(language, show)


@lru_cache(maxsize=64)
def read_allowed(written: str) -> AllowedHosts:
    """Return exceptions as they are written in a setting, with commas between them. Raises InvalidHost."""
    names, networks = set(), []
    for part in filter(None, (part.strip() for part in written.split(","))):
        try:
            networks.append(ip_network(part.strip("[]"), strict=False))
        except ValueError:
            names.add(_read_name(part))
    return AllowedHosts(frozenset(names), tuple(networks))


def check_allowed(written: str) -> str:
    """Return exceptions as they are written. Raises InvalidHost, a ValueError."""
    read_allowed(written)
    return written


def _read_name(written: str) -> str:
    try:
        return normalise_host(written)
    except ValueError:
        raise InvalidHost(written) from None


def normalise_host(host: str) -> str:
    """Return a name of a host as it is looked up: in lower case, in ASCII (IDNA), without a dot at its end.

    An address of IPv6 is returned as it is. Raises ValueError for what can be none, such as one that is
    percent-encoded.
    """
    if ":" in host:
        if "%" in host:
            raise ValueError(host)
        return str(IPv6Address(host))
    name = (host if host.isascii() else host.encode("idna").decode()).lower().rstrip(".")
    if not _HOST.fullmatch(name):
        raise ValueError(host)
    return name


def describe_inside(host: str, address: IpAddress, kind: str) -> Message:
    """Say that a host leads inside, for people."""
    return Message(INSIDE[kind], {"host": host, "address": address, "itself": address})
