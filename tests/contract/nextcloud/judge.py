"""Runs the PHP client and judges what it got; the same for a stub and for the whole service."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from facerec import __version__

SCRIPT = Path(__file__).with_name("client.php")
NAME = "picture.jpg"
TOGETHER = 8
FACE_KEYS = {"detection_confidence", "left", "top", "right", "bottom", "landmarks", "descriptor"}


def php() -> str:
    """The PHP interpreter with libcurl. Skips the test without one on a laptop, fails it in CI."""
    found = shutil.which("php")
    modules = subprocess.run([found, "-m"], check=True, capture_output=True, text=True).stdout if found else ""
    if found and "curl" in modules.split():
        return found
    why = "PHP with libcurl is needed: apt-get install php-cli php-curl"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def same_names(pictures: list[bytes], folder: Path) -> list[Path]:
    """The pictures as files of one name in folders of their own."""
    files = []
    for number, picture in enumerate(pictures):
        file = folder / str(number) / NAME
        file.parent.mkdir(parents=True)
        file.write_bytes(picture)
        files.append(file)
    return files


def run_client(url: str, key: str, large: bytes, pictures: list[bytes], folder: Path) -> dict[str, Any]:
    """What the client gets for ``pictures``, all sent under one name. Raises CalledProcessError."""
    too_large = folder / "large.jpg"
    too_large.write_bytes(large)
    files = same_names(pictures, folder)
    command = [php(), str(SCRIPT), url, key, str(too_large), *map(str, files)]
    got = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=240)
    return dict(json.loads(got.stdout))


def check_answers(got: dict[str, Any], area: int) -> None:
    """What holds whatever the pictures show."""
    assert got["welcome"]["status"] == 200
    assert got["welcome"]["document"] == {
        "facerecognition-external-model": "welcome",
        "version": __version__,
        "model": 3,
    }
    assert got["health"] == {"status": 200, "error": "", "document": "ok"}
    assert got["open"]["document"] == {"preferred_mimetype": "image/jpeg", "maximum_area": area}
    statuses = {name: answer["status"] for name, answer in got.items() if isinstance(answer, dict)}
    assert statuses == {
        "welcome": 200,
        "health": 200,
        "open": 200,
        "open_without_key": 401,
        "open_with_wrong_key": 401,
        "detect_with_wrong_key": 401,
        "detect_large": 412,
        "detect_no_picture": 415,
        "compute_large": 412,
    }
    for answer in got["detect"]:
        check_detected(answer)


def check_detected(answer: dict[str, Any]) -> None:
    assert answer["status"] == 200, answer
    document = answer["document"]
    assert document.keys() == {"filename", "faces-count", "faces"}
    assert document["filename"] == NAME
    assert document["faces-count"] == len(document["faces"])
    for face in document["faces"]:
        check_face(face)


def check_face(face: dict[str, Any]) -> None:
    assert face.keys() == FACE_KEYS
    assert face["detection_confidence"] == 1.1
    assert face["left"] < face["right"]
    assert face["top"] < face["bottom"]
    assert len(face["landmarks"]) == 5
    assert all(point.keys() == {"x", "y"} for point in face["landmarks"])
    assert len(face["descriptor"]) == 128


def check_computed(got: dict[str, Any], tolerance: float) -> None:
    """/compute gives for each box of /detect the same face."""
    detected = got["detect"][0]["document"]["faces"]
    assert len(got["compute"]) == len(detected) > 0
    for answer, face in zip(got["compute"], detected, strict=True):
        assert answer["status"] == 200, answer
        computed = answer["document"]["face"]
        assert answer["document"]["filename"] == NAME
        check_face(computed)
        assert math.dist(computed["descriptor"], face["descriptor"]) <= tolerance
        assert computed["landmarks"] == face["landmarks"]


def check_together(got: dict[str, Any]) -> None:
    """Uploads of one name at once do not get each other's answers."""
    assert len(got["together"]) == TOGETHER
    assert got["together"] == got["detect"]
