"""From aligned chips to encodings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facerec.engine.chips import CHIP_SIZE
from facerec.engine.dlibs import jittered
from facerec.engine.pictures import Pixels
from facerec.engine.runtime import Network, normalized
from facerec.faces import Encoding

CPU_BATCH = 8
GPU_BATCH = 256
"""Chips in one run of the network: enough to be fast, bounded so that a crowd does not take all memory."""


class Encoder:
    """dlib's ResNet on ONNX Runtime; a chip's encoding does not depend on what else is in its batch."""

    def __init__(self, network: Network, jitter: int = 0) -> None:
        self._network = network
        self._jitter = jitter
        self._batch = GPU_BATCH if network.on_gpu else CPU_BATCH
        self._network(
            np.zeros((CPU_BATCH, 3, CHIP_SIZE, CHIP_SIZE), np.float32)
        )  # takes its memory now, not in a crowd

    def encode(self, chips: Sequence[Pixels]) -> list[Encoding]:
        """One encoding for each RGB chip of 150 x 150, the mean over jittered copies when jitter is on."""
        if self._jitter <= 1:
            return self._plain(chips)
        return [np.mean(self._plain(jittered(chip, self._jitter)), axis=0, dtype=np.float32) for chip in chips]

    def _plain(self, chips: Sequence[Pixels]) -> list[Encoding]:
        encodings: list[Encoding] = []
        for start in range(0, len(chips), self._batch):
            encodings.extend(self._network(normalized(chips[start : start + self._batch])))
        return encodings
