"""Which device is used, and that nobody has to guess it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from facerec.engine import runtime
from facerec.engine.encoder import CPU_BATCH, GPU_BATCH, Encoder
from facerec.engine.runtime import CPU, CUDA, Network, choose_provider, gpu_name, normalized, why_no_gpu
from facerec.errors import ConfigError, ModelMissing


@pytest.mark.parametrize(
    ("device", "available", "provider"),
    [
        ("auto", [CPU], CPU),
        ("auto", ["TensorrtExecutionProvider", CUDA, CPU], CUDA),
        ("cpu", [CUDA, CPU], CPU),
        ("cuda", [CUDA, CPU], CUDA),
    ],
)
def test_the_provider(device: str, available: list[str], provider: str) -> None:
    assert choose_provider(device, available) == provider


@pytest.mark.parametrize(("device", "available"), [("cuda", [CPU]), ("gpu", [CUDA, CPU]), ("", [CPU])])
def test_a_device_that_cannot_be(device: str, available: list[str]) -> None:
    with pytest.raises(ConfigError):
        choose_provider(device, available)


class Session:
    """Stands for onnxruntime's: uses what it is told to, or falls back to the CPU as the real one does."""

    cuda_works = True
    libraries_loaded = False

    def __init__(self, model: bytes, options: object, providers: list[str | tuple[str, dict[str, str]]]) -> None:
        self.asked = [provider if isinstance(provider, str) else provider[0] for provider in providers]

    def get_providers(self) -> list[str]:
        return self.asked if self.cuda_works else [CPU]

    def get_inputs(self) -> list[object]:
        return [type("Input", (), {"name": "pixels"})]

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.zeros((len(inputs["pixels"]), 128), np.float32)]


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> type[Session]:
    """A machine whose ONNX Runtime knows CUDA."""
    session = type("Here", (Session,), {})
    monkeypatch.setattr(runtime.onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(runtime.onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(runtime.onnxruntime, "preload_dlls", lambda: setattr(session, "libraries_loaded", True))
    monkeypatch.setattr(runtime, "gpu_name", lambda: "NVIDIA Test 9000")
    return session


def test_the_gpu_is_used_and_named(with_gpu: type[Session]) -> None:
    network = Network(b"", "auto", 1)
    assert network.on_gpu
    assert network.device == "cuda:0 (NVIDIA Test 9000)"
    assert with_gpu.libraries_loaded


def test_the_gpu_s_libraries_are_left_alone_on_the_cpu(with_gpu: type[Session]) -> None:
    Network(b"", "cpu", 1)
    assert not with_gpu.libraries_loaded


def test_the_cpu_can_be_asked_for(with_gpu: type[Session]) -> None:
    assert Network(b"", "cpu", 1).device == "cpu"


def test_a_gpu_that_does_not_work_is_an_error_in_the_log(
    with_gpu: type[Session], caplog: pytest.LogCaptureFixture
) -> None:
    with_gpu.cuda_works = False
    with caplog.at_level(logging.INFO):
        network = Network(b"", "auto", 1)
    assert network.device == "cpu"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "GPU cannot be used" in caplog.text
    assert "the engine runs on the CPU" in caplog.text


def test_the_reason_names_what_is_missing() -> None:
    assert why_no_gpu("libnobodyhasthis.so.1").startswith("NVIDIA's driver is not here: libnobodyhasthis.so.1")
    assert "too old" in why_no_gpu("libc.so.6")


def test_a_gpu_that_was_asked_for_must_work(with_gpu: type[Session]) -> None:
    with_gpu.cuda_works = False
    with pytest.raises(ConfigError, match="GPU cannot be used"):
        Network(b"", "cuda", 1)


def test_a_gpu_takes_larger_batches(with_gpu: type[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    really = with_gpu.run
    monkeypatch.setattr(with_gpu, "run", lambda self, o, i: sizes.append(len(i["pixels"])) or really(self, o, i))
    chips = [np.zeros((150, 150, 3), np.uint8)] * (CPU_BATCH * 2 + 1)

    for device in ("cpu", "cuda"):
        assert len(Encoder(Network(b"", device, 1)).encode(chips)) == len(chips)

    assert sizes == [CPU_BATCH, CPU_BATCH, CPU_BATCH, 1, CPU_BATCH, len(chips)]
    assert len(chips) <= GPU_BATCH


def test_the_name_comes_from_the_driver(tmp_path: Path) -> None:
    assert gpu_name(tmp_path / "nothing") == "unknown GPU"
    card = tmp_path / "0000:01:00.0"
    card.mkdir()
    (card / "information").write_text("Model: \t\t NVIDIA A2\nIRQ:   33\n")
    assert gpu_name(tmp_path) == "NVIDIA A2"


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(ModelMissing):
        Network(b"no model at all", "cpu", 1)


def test_normalization_is_dlib_s() -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)

    (planes,) = normalized([image])

    expected = (image.astype(np.float32) - np.array([122.782, 117.001, 104.298], np.float32)) / np.float32(256)
    assert np.array_equal(planes, expected.transpose(2, 0, 1))
    assert normalized([image, image]).shape == (2, 3, 7, 5)
