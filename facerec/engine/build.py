"""Puts the parts of a fast engine together."""

from __future__ import annotations

import logging
from pathlib import Path

from facerec.engine.convert import onnx_model
from facerec.engine.detection import Detector
from facerec.engine.dlibs import HogDetector, Landmarks
from facerec.engine.encoder import Encoder
from facerec.engine.fast import FastEngine
from facerec.engine.mmod import CnnDetector, ConfirmedDetector
from facerec.engine.options import EngineOptions
from facerec.engine.runtime import Network
from facerec.engine.weights import DETECTOR_FILE, ENCODER_FILE
from facerec.faces import Model

HOG_UPSAMPLE = 1
CNN_UPSAMPLE = 0
"""Doublings before detection when the options do not say; the smallest face is then 40 and 80 pixels."""

logger = logging.getLogger(__name__)


def fast_engine(model: Model, options: EngineOptions, cache: Path, device: str) -> FastEngine:
    """The engine for one of the models 1 to 4. Raises ModelMissing and ConfigError."""
    network = Network(onnx_model(ENCODER_FILE, cache), device, options.threads, keep_memory=True)
    logger.info("face engine %s runs on %s", model.name, network.device, extra={"action": "engine_opened"})
    return FastEngine(
        model,
        options,
        detector=_detector(model, options, cache, device),
        landmarks=Landmarks(68 if model is Model.CNN_68 else 5),
        encoder=Encoder(network, options.jitter),
        device=network.device,
    )


def _detector(model: Model, options: EngineOptions, cache: Path, device: str) -> Detector:
    threshold = options.min_confidence or 0.0
    if model is Model.HOG:
        return HogDetector(HOG_UPSAMPLE if options.upsample is None else options.upsample, threshold)
    network = Network(onnx_model(DETECTOR_FILE, cache), device, options.threads)
    upsample = CNN_UPSAMPLE if options.upsample is None else options.upsample
    cnn = CnnDetector(network, upsample, threshold)
    return ConfirmedDetector(cnn, HogDetector(HOG_UPSAMPLE)) if model is Model.CNN_HOG else cnn
