from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from rest.app import create_app
from tests.front import Front


@pytest.fixture
def front() -> Front:
    return Front()


@pytest.fixture
def client(front: Front) -> FlaskClient:
    """A client on this machine of a service without tokens."""
    return create_app(front.services).test_client()


@pytest.fixture
def guarded() -> Front:
    return Front(with_tokens=True)


@pytest.fixture
def guarded_client(guarded: Front) -> FlaskClient:
    """A client of a service with tokens; it sends none by itself."""
    return create_app(guarded.services).test_client()
