from __future__ import annotations

import pytest

from tests.front import Front
from tests.services_client import ServicesClient


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def client(front: Front) -> ServicesClient:
    """A client on this machine of a service without tokens."""
    return ServicesClient(front.services)


@pytest.fixture
def guarded() -> Front:
    return Front(with_tokens=True)


@pytest.fixture
def guarded_client(guarded: Front) -> ServicesClient:
    """A client of a service with tokens; it sends none by itself."""
    return ServicesClient(guarded.services)
