"""Whose connections, and whose streams, are counted together."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from facerec.values import Network


def peer_of(host: str) -> str:
    """Who is counted as one: an address, or a network of IPv6 as one customer gets it (RFC 6177: /64 at least)."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return host
    mapped = address.ipv4_mapped
    return str(mapped) if mapped else address.exploded[:19]


def is_proxy(host: str, proxies: Sequence[Network]) -> bool:
    """Whether an address speaks for others, who are not counted as one then."""
    return bool(proxies) and any(ip_address(host.partition("%")[0]) in network for network in proxies)
