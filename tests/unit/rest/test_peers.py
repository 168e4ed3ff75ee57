"""Whose connections are counted together."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from rest.peers import is_proxy, peer_of


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
    ],
)
def test_an_address_or_a_customers_network(host: str, other: str, same: bool) -> None:
    assert (peer_of(host) == peer_of(other)) is same


def test_a_proxy_is_one_that_was_named() -> None:
    proxies = (ip_network("192.0.2.0/24"), ip_network("fe80::/10"))
    assert is_proxy("192.0.2.7", proxies)
    assert is_proxy("fe80::1%eth0", proxies)
    assert not is_proxy("198.51.100.1", proxies)
    assert not is_proxy("192.0.2.7", ())
