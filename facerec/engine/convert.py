"""dlib's network files converted to ONNX, once, and kept in a folder.

``python -m facerec.engine.convert --cache DIR`` makes all of them; a container image does that when it is built.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import os
import tempfile
from pathlib import Path

from facerec.engine.weights import DETECTOR_FILE, ENCODER_FILE, DatError, model_file
from facerec.errors import ModelMissing

CONVERTER_VERSION = 1
"""Raised with every change of ``networks.py``: files made by another version are not used."""

_KINDS = {ENCODER_FILE: "encoder", DETECTOR_FILE: "detector"}

logger = logging.getLogger(__name__)


def onnx_model(name: str, cache: Path) -> bytes:
    """The ONNX form of dlib's file ``name``, from ``cache`` or made now and stored there.

    The cached file's name carries the hash of the original; its checksum lies beside it, and a damaged file is made again.
    Raises ModelMissing when the original is missing or is not the expected network.
    """
    original = model_file(name).read_bytes()
    version = hashlib.sha256(original + bytes([CONVERTER_VERSION])).hexdigest()[:16]
    path = cache / f"{_KINDS[name]}-{version}.onnx"
    cached = _read_checked(path)
    if cached is not None:
        return cached
    made = _convert(name, original)
    _store(path, made)
    return made


def _convert(name: str, original: bytes) -> bytes:
    from facerec.engine import networks  # noqa: PLC0415 - onnx is large, and needed only to convert

    logger.info("converting %s to ONNX", name, extra={"action": "model_converted"})
    try:
        made: bytes = getattr(networks, _KINDS[name])(original).SerializeToString(deterministic=True)
    except (DatError, OverflowError) as error:
        raise ModelMissing(
            f"{name} is damaged or of an unknown version ({error}): install face_recognition_models again"
        ) from error
    return made


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _read_checked(path: Path) -> bytes | None:
    """The file's bytes; None when it or its checksum is missing or they do not fit."""
    try:
        content = path.read_bytes()
        expected = _checksum_path(path).read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        expected = ""
    if hashlib.sha256(content).hexdigest() != expected:
        logger.warning("%s is damaged and is made again", path, extra={"action": "model_damaged"})
        return None
    return content


def _store(path: Path, content: bytes) -> None:
    """Write the file and its checksum. A reader in between finds no pair that fits and converts for itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content)
    _write(_checksum_path(path), hashlib.sha256(content).hexdigest().encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    """All or nothing: a file beside it takes its place when it is complete."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def main() -> None:
    """Command line: convert every network into the folder given."""
    parser = argparse.ArgumentParser(
        prog="python -m facerec.engine.convert", description="Convert dlib's networks to ONNX."
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for the ONNX files")
    cache = parser.parse_args().cache
    for name in _KINDS:
        size = len(onnx_model(name, cache))
        print(f"{name}: {size} bytes of ONNX in {cache}")  # noqa: T201 - a command talks to its user


if __name__ == "__main__":
    main()
