"""The broker's fixtures."""

from tests.brokers import broker, direct, proxy, rabbit

__all__ = ["broker", "direct", "proxy", "rabbit"]
