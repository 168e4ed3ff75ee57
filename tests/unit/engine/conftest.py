"""Engines and pictures for the tests of the engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facerec.engine import EngineOptions, FaceEngine, open_engine
from facerec.faces import Model
from tests import pictures

MODELS = pictures.ROOT / ".cache" / "models"


@pytest.fixture(scope="session")
def archive() -> dict[str, Path]:
    """The pictures inside the archive of face_recognition: skipped without network here, a failure in CI."""
    try:
        return pictures.archive_pictures()
    except pictures.NoPictures as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def hog() -> FaceEngine:
    """The default engine with default options."""
    return open_engine(Model.HOG, EngineOptions(), MODELS, "cpu")
