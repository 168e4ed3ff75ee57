"""What dlib's CNN detector says of pictures. It takes 4 to 8 seconds a megapixel, so its answers are kept in a file.

An answer belongs to the pixels, to dlib's version and to its weights: where one of them is another, dlib itself is asked.
``--full`` asks it always and writes the answers down anew.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import dlib

from facerec.engine.detection import Detection
from facerec.engine.pictures import Pixels
from facerec.engine.weights import DETECTOR_FILE, model_file
from facerec.faces import Box

KEPT = Path(__file__).with_name("dlib_answers.json")
Answer = list[list[float]]
"""Of each face top, right, bottom, left and confidence."""


class DlibAnswers:
    """``anew`` asks dlib whatever is kept; ``file`` is where it is kept."""

    def __init__(self, *, anew: bool = False, file: Path = KEPT) -> None:
        self._weights = str(model_file(DETECTOR_FILE))
        self._source = {
            "dlib": dlib.__version__,
            "weights": hashlib.sha256(Path(self._weights).read_bytes()).hexdigest(),
        }
        self._file = file
        self._kept: dict[str, Answer] = {} if anew else self._read()
        self._network: Any = None
        self.asked = 0

    def __call__(self, pixels: Pixels, upsample: int) -> list[Detection]:
        key = hashlib.sha256(f"{pixels.shape} {upsample} ".encode() + pixels.tobytes()).hexdigest()[:32]
        if key not in self._kept:
            self._kept[key] = self._ask(pixels, upsample)
        return [Detection(Box(*map(int, box)), confidence) for *box, confidence in self._kept[key]]

    def write(self) -> None:
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(answer)}" for key, answer in sorted(self._kept.items()))
        self._file.write_text(
            f'{{"source": {json.dumps(self._source)},\n"answers": {{\n{lines}\n}}}}\n', encoding="ascii"
        )

    def _read(self) -> dict[str, Answer]:
        if not self._file.exists():
            return {}
        found = json.loads(self._file.read_text(encoding="ascii"))
        answers: dict[str, Answer] = found["answers"] if found["source"] == self._source else {}
        return answers

    def _ask(self, pixels: Pixels, upsample: int) -> Answer:
        self._network = self._network or dlib.cnn_face_detection_model_v1(self._weights)
        self.asked += 1
        found = [(face.rect, face.confidence) for face in self._network(pixels, upsample)]
        return [[box.top(), box.right(), box.bottom(), box.left(), confidence] for box, confidence in found]
