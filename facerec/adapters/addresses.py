"""Which addresses a stranger's URL may lead to, and how names become addresses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from facerec.values import Network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Gives the addresses of a host name and port. Raises OSError."""

# Addresses that Python counts as global, or did in some version, behind which others hide.
_TUNNELS = tuple(
    ip_network(text)
    for text in (
        "::/96",  # IPv4-compatible, RFC 4291
        "64:ff9b::/96",  # NAT64, RFC 6052: an IPv4 address in IPv6 clothes
        "64:ff9b:1::/48",  # NAT64 of one's own, RFC 8215
        "2002::/16",  # 6to4, RFC 3056
        "2001::/23",  # special purposes, Teredo among them, RFC 2928
        "fec0::/10",  # site-local, RFC 3879
        "100.64.0.0/10",  # behind a carrier's NAT, RFC 6598
        "192.0.0.0/24",  # special purposes, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
    )
)


def is_allowed(address: Address, exceptions: Sequence[Network] = ()) -> bool:
    """Whether an address may be fetched from: public unicast, or inside one of the ``exceptions``."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    address = inner or address
    if any(address in network for network in exceptions):
        return True
    if any(address in network for network in _TUNNELS):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a name; spellings like 0x7f.1 are addresses to it. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # what the IDNA codec says to empty and overlong labels
        raise OSError(f"{host!r} is no host name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
