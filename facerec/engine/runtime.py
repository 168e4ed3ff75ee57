"""ONNX Runtime: sessions and the choice of the device. The only module that imports it."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from facerec.engine.pictures import Pixels
from facerec.engine.weights import Floats
from facerec.errors import ConfigError, ModelMissing

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

MEAN_RGB = np.array([122.782, 117.001, 104.298], np.float32)
"""Subtracted from red, green, blue before the division by 256 (dlib/dnn/input.h); the same in both networks."""

logger = logging.getLogger(__name__)


def choose_provider(device: str, available: Sequence[str]) -> str:
    """The execution provider for ``device`` (auto, cpu or cuda).

    Raises ConfigError for another word, and for ``cuda`` where this build of ONNX Runtime has none.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, not {device!r}")
    if device == "cpu":
        return CPU
    if CUDA in available:
        return CUDA
    if device == "cuda":
        raise ConfigError("device cuda was asked for, but this ONNX Runtime has no CUDA (install onnxruntime-gpu)")
    logger.info("no CUDA in this ONNX Runtime: using the CPU", extra={"action": "device_chosen"})
    return CPU


def gpu_name(proc: Path = Path("/proc/driver/nvidia/gpus")) -> str:
    """The first GPU's name as its driver tells it."""
    for information in sorted(proc.glob("*/information")):
        for line in information.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                return value.strip()
    return "unknown GPU"


class Network:
    """One loaded ONNX model with one float32 input and one float32 output; used by one thread at a time."""

    def __init__(self, model: bytes, device: str, threads: int, *, keep_memory: bool = False) -> None:
        """``device`` is auto, cpu or cuda; ``keep_memory`` is for inputs of few sizes: faster, never given back.

        Raises ConfigError when cuda is asked for and cannot be used.
        """
        provider = choose_provider(device, onnxruntime.get_available_providers())
        if provider == CUDA:
            # NVIDIA's libraries come as packages, and lie where no loader looks.
            onnxruntime.preload_dlls()
        try:
            self._session = onnxruntime.InferenceSession(
                model, _session_options(threads, keep_memory), providers=_fallback(provider)
            )
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf as error:
            raise ModelMissing(f"ONNX Runtime refuses the model: {error}") from error
        used = self._session.get_providers()[0]
        if provider == CUDA and used != CUDA:
            _report_no_gpu(device)
        self.on_gpu = used == CUDA
        self.device = f"cuda:0 ({gpu_name()})" if self.on_gpu else "cpu"
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: Floats) -> Floats:
        result: Floats = self._session.run(None, {self._input: batch})[0]
        return result

    @property
    def metadata(self) -> dict[str, str]:
        """What the converter wrote into the model."""
        return dict(self._session.get_modelmeta().custom_metadata_map)


def why_no_gpu(driver: str = "libcuda.so.1") -> str:
    """What keeps ONNX Runtime from the GPU, as far as it can be seen from here; it says more on standard error itself."""
    try:
        ctypes.CDLL(driver)
    except OSError as error:
        return f"NVIDIA's driver is not here: {error}"
    return "NVIDIA's driver is here, but it is too old for this CUDA, or CUDA or cuDNN is missing, or the GPU is not known to it"


def _report_no_gpu(device: str) -> None:
    """ONNX Runtime falls back to the CPU by itself; nobody who paid for a GPU may have to guess that."""
    reason = f"the GPU cannot be used ({why_no_gpu()})"
    if device == "cuda":
        raise ConfigError(f"device cuda was asked for, but {reason}")
    logger.error("%s: the engine runs on the CPU", reason, extra={"action": "device_chosen"})


_CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": "0"}
"""Every picture has another size: an exhaustive search for the best convolution would take seconds for each of them. TF32
has 10 bits of mantissa, too few for encodings equal to those of a CPU."""


def _fallback(provider: str) -> list[str | tuple[str, dict[str, str]]]:
    return [CPU] if provider == CPU else [(CUDA, _CUDA_OPTIONS), CPU]


def _session_options(threads: int, keep_memory: bool) -> onnxruntime.SessionOptions:
    """Threads do not spin while they wait, and without ``keep_memory`` nothing keeps the memory of the largest picture."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = keep_memory
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def normalized(images: Sequence[Pixels]) -> Floats:
    """uint8 RGB images of one size as dlib's networks take them: float32 (images, 3, height, width)."""
    batch = np.empty((len(images), 3, *images[0].shape[:2]), np.float32)
    for planes, image in zip(batch, images, strict=True):
        planes[...] = image.transpose(2, 0, 1)
    batch -= MEAN_RGB[:, None, None]
    batch *= np.float32(1 / 256)
    return batch
