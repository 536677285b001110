"""Pictures at addresses in a run: what is said of those that lead inside this machine or network."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from urllib.parse import urlsplit

from indexer.config import IndexerSettings
from indexer.errors import AddressesInside, AddressesRefused, NotFetchedAgain, ReencodingRefused
from indexer.library.addresses.networks import AllowedHosts, IpAddress, find_inside, normalise_host, read_allowed
from indexer.library.catalog.writer import Catalog
from indexer.library.errors import UnknownSource
from indexer.library.sources.items import KnownItem, Name
from indexer.library.sources.kinds import open_source
from indexer.library.sources.port import Source
from indexer.pipeline.encode import Progress
from models.foundation.errors import ImageSearchError
from models.pictures.errors import DecodeError, decode_reason

_LOCAL_NAMES = (".localhost", ".localdomain", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".corp")
_MOST_HOSTS = 5  # that a warning names


def warn_not_fetched(progress: Progress) -> Iterator[ImageSearchError]:
    """Yield what a person should know of addresses that were not fetched."""
    for found, make in ((progress.refused, AddressesRefused), (progress.kept, NotFetchedAgain)):
        if found.first is not None:
            yield make(found.count, decode_reason(found.first.reason, found.first.detail))


def warn_inside(
    source: Source, known: Mapping[Name, KnownItem], settings: IndexerSettings
) -> Iterator[ImageSearchError]:
    """Yield a warning where indexed pictures of a source were fetched from inside, as far as addresses say so.

    No name is looked up for it.
    """
    allowed = read_allowed(settings.allow_private)
    inside: Counter[str] = Counter()
    for (_, host), count in _hosts_of(source, known).items():
        if _is_evidently_inside(host, allowed):
            inside[host] += count
    if inside:
        named = [host for host, _ in inside.most_common(_MOST_HOSTS)]
        yield AddressesInside(source.root.path, sum(inside.values()), named)


def check_fetchable(catalog: Catalog, settings: IndexerSettings) -> None:
    """Raise ReencodingRefused where indexed pictures would not be fetched again, since they lie inside."""
    from indexer.library.addresses.fetching import Fetching

    guard = Fetching(allow_private=settings.allow_private, through_proxy=settings.fetch_through_proxy).guard
    for root in catalog.list_roots():
        with suppress(UnknownSource):
            for scheme, host in _hosts_of(open_source(root), catalog.known_items(root, ())):
                try:
                    guard.check_host(scheme, host)
                except DecodeError as error:
                    raise ReencodingRefused(root.path, host, error.why) from error


def _hosts_of(source: Source, known: Mapping[Name, KnownItem]) -> Counter[tuple[str, str]]:
    """Return the schemes and hosts that indexed pictures were fetched from, and how many from each."""
    hosts: Counter[tuple[str, str]] = Counter()
    for name, item in known.items():
        if item.status == "indexed" and isinstance(name, str):
            address = source.address(name)
            if address is not None:
                hosts[_host_of("/".join(address.split("/", 3)[:3]))] += 1
    return hosts


@lru_cache(maxsize=4096)
def _host_of(server: str) -> tuple[str, str]:
    """Return scheme and host of the beginning of an address, "" where it has none."""
    with suppress(ValueError):
        parts = urlsplit(server)
        return parts.scheme, normalise_host(parts.hostname or "")
    return "", ""


def _is_evidently_inside(host: str, allowed: AllowedHosts) -> bool:
    if not host:
        return False
    address = _read_ip(host)
    if address is None:
        is_local = host == "localhost" or "." not in host or host.endswith(_LOCAL_NAMES)
        return is_local and host not in allowed.names and not allowed.networks  # one of which it may lie in
    kind = find_inside(address)
    return kind is not None and not allowed.permits(host, address, kind)


def _read_ip(host: str) -> IpAddress | None:
    """Return the IP address that a host is, also one in the short, octal or hexadecimal form of IPv4."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
