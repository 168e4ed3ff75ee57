"""Parity with dlib: which pictures are compared.

By default the pictures that a fresh clone can fetch and, where there is a folder of faces, a part of it;
``--all-pictures`` compares every picture there is (about half an hour: dlib's CNN takes 4 to 8 seconds a megapixel).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pictures

MODELS = pictures.ROOT / ".cache" / "models"


def everything(config: pytest.Config) -> bool:
    return bool(config.getoption("--all-pictures"))


@pytest.fixture(scope="session")
def compared(archive: dict[str, Path], request: pytest.FixtureRequest) -> dict[str, Path]:
    """The pictures to compare on the cheap parts: those of the archive, the portraits and lfw100 (every fifth)."""
    step = 1 if everything(request.config) else 5
    faces = [path for paths in pictures.lfw100().values() for path in paths]
    return archive | pictures.portraits() | {path.name: path for path in faces[::step]}
