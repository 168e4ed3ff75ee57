"""dlib's files are read exactly, converted once, and a damaged cache is made again."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from facerec.engine import convert, open_engine, weights
from facerec.engine.convert import onnx_model
from facerec.engine.options import EngineOptions
from facerec.engine.weights import (
    DETECTOR_FILE,
    ENCODER_FILE,
    DatError,
    DatReader,
    DetectorSettings,
    detector_settings,
    layers,
    model_file,
)
from facerec.errors import ModelMissing
from facerec.faces import Model
from tests.pictures import ROOT


def test_the_layers_of_the_encoder() -> None:
    kinds = [layer.kind for layer in layers(model_file(ENCODER_FILE).read_bytes())]
    assert kinds == ["con_4", "affine_"] * 29 + ["fc_2"]


def test_the_layers_and_settings_of_the_detector() -> None:
    blob = model_file(DETECTOR_FILE).read_bytes()
    assert [layer.kind for layer in layers(blob)] == ["con_4", "bn_con2"] * 6 + ["con_4"]
    assert detector_settings(blob) == DetectorSettings(80, pytest.approx(0.33827614), 1.0)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (b"\x01\x00", 0),
        (b"\x01\x05", 5),
        (b"\x02\x00\x01", 256),
        (b"\x81\x05", -5),
        (b"\x82\x01\x01", -257),
        (b"\x08" + b"\xff" * 8, 2**64 - 1),
    ],
)
def test_integers(written: bytes, number: int) -> None:
    assert DatReader(written).integer() == number


def test_reals_and_strings() -> None:
    assert DatReader(b"\x01\x10\x81\x04").real() == 1.0
    assert DatReader(b"\x01\x03con").string() == "con"


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\x09", b"\x04ab", b"\x8f"])
def test_a_broken_integer(blob: bytes) -> None:
    with pytest.raises(DatError):
        DatReader(blob).integer()


def test_a_tensor() -> None:
    values = np.arange(6, dtype="<f4")
    blob = b"\x01\x02" + b"\x01\x01\x01\x01\x01\x02\x01\x03" + values.tobytes()
    assert DatReader(blob).tensor().tolist() == values.tolist()
    with pytest.raises(DatError, match="ends inside"):
        DatReader(blob[:-1]).tensor()
    with pytest.raises(DatError, match="version"):
        DatReader(b"\x01\x07").tensor()


@pytest.fixture
def convert_counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are really converted."""
    converted: list[str] = []
    really = convert._convert
    monkeypatch.setattr(convert, "_convert", lambda name, original: converted.append(name) or really(name, original))
    return converted


def test_a_model_is_converted_once(tmp_path: Path, convert_counted: list[str]) -> None:
    made = onnx_model(DETECTOR_FILE, tmp_path / "deep" / "cache")
    again = onnx_model(DETECTOR_FILE, tmp_path / "deep" / "cache")

    assert made == again
    assert convert_counted == [DETECTOR_FILE]
    assert sorted(p.suffix for p in (tmp_path / "deep" / "cache").iterdir()) == [".onnx", ".sha256"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "no checksum", "bad checksum", "binary checksum"])
def test_a_damaged_cache_is_made_again(damage: str, tmp_path: Path, convert_counted: list[str]) -> None:
    made = onnx_model(DETECTOR_FILE, tmp_path)
    (model,), (checksum,) = tmp_path.glob("*.onnx"), tmp_path.glob("*.sha256")
    if damage == "flip":
        model.write_bytes(made[:1000] + bytes([made[1000] ^ 1]) + made[1001:])
    elif damage in ("cut", "empty"):
        model.write_bytes(made[: len(made) // 2] if damage == "cut" else b"")
    elif damage == "no checksum":
        checksum.unlink()
    else:
        checksum.write_bytes(b"0" * 64 if damage == "bad checksum" else b"\xff\xfe")

    assert onnx_model(DETECTOR_FILE, tmp_path) == made
    assert model.read_bytes() == made
    assert checksum.read_text().strip() == hashlib.sha256(made).hexdigest()
    assert convert_counted == [DETECTOR_FILE, DETECTOR_FILE]


def test_another_version_of_the_converter_uses_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx_model(DETECTOR_FILE, tmp_path)
    monkeypatch.setattr(convert, "CONVERTER_VERSION", 200)
    onnx_model(DETECTOR_FILE, tmp_path)
    assert len(list(tmp_path.glob("*.onnx"))) == 2


def test_two_at_once_make_the_same_file(tmp_path: Path) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(onnx_model(DETECTOR_FILE, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(convert.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        onnx_model(DETECTOR_FILE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    for model in (Model.HOG, Model.CNN):
        with pytest.raises(ModelMissing, match="pip install face_recognition_models"):
            open_engine(model, EngineOptions(), tmp_path, "cpu")


def test_a_missing_or_damaged_original_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelMissing, match=r"nothing\.dat is missing"):
        model_file("nothing.dat")
    broken = tmp_path / "broken.dat"
    broken.write_bytes(model_file(DETECTOR_FILE).read_bytes()[:100_000])
    monkeypatch.setattr(convert, "model_file", lambda _: broken)
    with pytest.raises(ModelMissing, match="damaged"):
        onnx_model(DETECTOR_FILE, tmp_path)


def test_the_wrong_network_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "model_file", lambda _: model_file(ENCODER_FILE))
    with pytest.raises(ModelMissing):
        onnx_model(DETECTOR_FILE, tmp_path)


def test_the_command_makes_every_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "facerec.engine.convert", "--cache", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert len(done.stdout.splitlines()) == 2
    assert sorted(path.name.split("-")[0] for path in tmp_path.glob("*.onnx")) == ["detector", "encoder"]
