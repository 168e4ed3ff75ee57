"""Engines and pictures for the tests of the engine."""

from __future__ import annotations

import pytest

from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.faces import Model
from tests import pictures

MODELS = pictures.ROOT / ".cache" / "models"


@pytest.fixture(scope="session")
def hog() -> FaceEngine:
    """The default engine with default options."""
    return open_engine(Model.HOG, EngineOptions(), MODELS, "cpu")
