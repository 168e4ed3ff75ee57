"""How much faster the engine is than what it replaces, and that it gives the same answers. All on one core, in one run.

``python -m benchmarks.engine [--rounds 5]`` prints a table and, last, one JSON line:

- ``encode_speedup``: ``face_recognition.face_encodings`` with known boxes against ours (landmarks, chip, encoding);
- ``cnn_speedup``: dlib's CNN detector against ours at equal upsampling, the smaller of the ratios without and with one;
- ``scan_over_hog``: all CPU time of a whole scan of a one-megapixel photo with one face over that of HOG detection alone;
- ``encode_max_l2``, ``cnn_max_box_px``, ``cnn_max_confidence_diff``: the largest differences to dlib on the way.

Each pair is measured in turns and the fastest of each is taken, because other work disturbs single measurements.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import dlib  # noqa: E402 - the core is chosen before any library counts them

from facerec.engine.build import fast_engine  # noqa: E402
from facerec.engine.convert import onnx_model  # noqa: E402
from facerec.engine.detection import Detection  # noqa: E402
from facerec.engine.dlibs import HogDetector, Landmarks, chips_of  # noqa: E402
from facerec.engine.encoder import Encoder  # noqa: E402
from facerec.engine.mmod import CnnDetector  # noqa: E402
from facerec.engine.options import EngineOptions  # noqa: E402
from facerec.engine.pictures import Pixels, decode  # noqa: E402
from facerec.engine.reference import face_recognition  # noqa: E402
from facerec.engine.runtime import Network  # noqa: E402
from facerec.engine.weights import DETECTOR_FILE, ENCODER_FILE, model_file  # noqa: E402
from facerec.faces import Box, Model  # noqa: E402
from tests import pictures  # noqa: E402

MODELS = pictures.ROOT / ".cache" / "models"
MEGAPIXEL = (870, 1150)
CNN_AREAS = {0: 1_000_000, 1: 250_000}
"""Pixels before upsampling: in both cases dlib works at one megapixel."""
LEAST_SECONDS = 0.3
AIMS = {"encode_speedup": 15, "cnn_speedup": 15, "scan_over_hog": 1.25}


def fastest(rounds: int, *jobs: Callable[[], object]) -> list[float]:
    """CPU seconds of the fastest run of each job, the jobs taking turns."""
    times = [[_seconds(job) for job in jobs] for _ in range(rounds)]
    return np.min(times, axis=0).tolist()


def _seconds(job: Callable[[], object]) -> float:
    """CPU seconds of one run. A short job is run again and again for as long as a long one takes, so that neither is
    measured with the caches that the other has left."""
    start = time.process_time()
    runs = 0
    while (spent := time.process_time() - start) < LEAST_SECONDS:
        job()
        runs += 1
    return spent / runs


def within(path: Path, area: int) -> Pixels:
    """The picture at about ``area`` pixels."""
    picture = Image.open(path).convert("RGB")
    factor = (area / (picture.width * picture.height)) ** 0.5
    return np.array(picture.resize((round(picture.width * factor), round(picture.height * factor))), np.uint8)


def group_photo(portraits: list[Pixels]) -> Pixels:
    """All portraits in one picture, in rows of four."""
    width, height = 500, 640
    group = Image.new("RGB", (4 * width, -(-len(portraits) // 4) * height))
    for number, portrait in enumerate(portraits):
        cell = Image.fromarray(portrait).resize((width, height))
        group.paste(cell, (number % 4 * width, number // 4 * height))
    return np.array(group, np.uint8)


class Encoding:
    """Faces whose boxes are known: plain face_recognition and ours."""

    def __init__(self) -> None:
        self._plain = face_recognition()
        self._landmarks = Landmarks(5)
        self._encoder = Encoder(Network(onnx_model(ENCODER_FILE, MODELS), "cpu", 1, keep_memory=True))
        self._detector = HogDetector()

    def measured(self, name: str, photos: list[Pixels], rounds: int) -> tuple[float, float, float]:
        """CPU seconds of theirs and of ours for all faces of the photos, and the largest distance between the two."""
        known = [(pixels, [detection.box for detection in self._detector.find(pixels)]) for pixels in photos]
        count = sum(len(boxes) for _, boxes in known)
        css = [(pixels, [(b.top, b.right, b.bottom, b.left) for b in boxes]) for pixels, boxes in known]

        def theirs() -> list[np.ndarray]:
            return [
                one for pixels, boxes in css for one in self._plain.face_encodings(pixels, known_face_locations=boxes)
            ]

        def ours() -> list[np.ndarray]:
            return [one for pixels, boxes in known for one in self._encoded(pixels, boxes)]

        farthest = max(float(np.linalg.norm(a - b)) for a, b in zip(theirs(), ours(), strict=True))
        slow, quick = fastest(rounds, theirs, ours)
        row(f"encode a face, {name} ({count})", slow / count, quick / count)
        return slow, quick, farthest

    def _encoded(self, pixels: Pixels, boxes: list[Box]) -> list[np.ndarray]:
        return self._encoder.encode(chips_of(pixels, [self._landmarks.find(pixels, box) for box in boxes]))


def encoding(rounds: int) -> dict[str, float]:
    """The portraits of the archive one by one, and all of them as one group photo."""
    bench = Encoding()
    photos = [within(path, 1_000_000) for path in pictures.archive_pictures().values()]
    single = bench.measured("portraits", photos, rounds)
    group = bench.measured("group", [group_photo(photos)], rounds)
    return {
        "encode_speedup": (single[0] + group[0]) / (single[1] + group[1]),
        "encode_speedup_portraits": single[0] / single[1],
        "encode_speedup_group": group[0] / group[1],
        "encode_max_l2": max(single[2], group[2]),
    }


def cnn(rounds: int) -> dict[str, float]:
    """dlib's CNN detector against ours, without upsampling and with one."""
    bench = Cnn()
    for upsample, area in CNN_AREAS.items():
        bench.measure(upsample, area, rounds)
    return {
        "cnn_speedup": min(bench.ratios),
        "cnn_max_box_px": bench.farthest_side,
        "cnn_max_confidence_diff": bench.farthest_confidence,
    }


class Cnn:
    """Detection by CNN: dlib's and ours, and how far apart they are."""

    def __init__(self) -> None:
        self._theirs = dlib.cnn_face_detection_model_v1(str(model_file(DETECTOR_FILE)))
        self._network = Network(onnx_model(DETECTOR_FILE, MODELS), "cpu", 1)
        self.ratios: list[float] = []
        self.farthest_side = 0.0
        self.farthest_confidence = 0.0

    def measure(self, upsample: int, area: int, rounds: int) -> None:
        """Three portraits of ``area`` pixels."""
        ours = CnnDetector(self._network, upsample)
        photos = [within(pictures.archive_pictures()[name], area) for name in ("obama.jpg", "biden.jpg", "obama2.jpg")]
        for photo in photos:
            self._compare(ours.find(photo), list(self._theirs(photo, upsample)))
        slow, quick = fastest(
            rounds,
            lambda: [self._theirs(photo, upsample) for photo in photos],
            lambda: [ours.find(photo) for photo in photos],
        )
        row(f"CNN, upsampled {upsample} x", slow / len(photos), quick / len(photos))
        self.ratios.append(slow / quick)

    def _compare(self, found: list[Detection], expected: list[dlib.mmod_rectangle]) -> None:
        if len(found) != len(expected):
            raise SystemExit(f"{len(found)} faces where dlib finds {len(expected)}")
        for our, their in zip(found, expected, strict=True):
            rect, box = their.rect, our.box
            sides = np.subtract(
                (rect.top(), rect.right(), rect.bottom(), rect.left()), (box.top, box.right, box.bottom, box.left)
            )
            self.farthest_side = max(self.farthest_side, float(np.abs(sides).max()))
            self.farthest_confidence = max(self.farthest_confidence, abs(our.confidence - their.confidence))


def row(name: str, slow: float, quick: float) -> None:
    """One line of the table; times in milliseconds."""
    print(f"{name:32}{slow * 1e3:10.1f} {quick * 1e3:10.1f} {slow / quick:8.2f}", flush=True)


def scan(rounds: int) -> dict[str, float]:
    """Everything from the file's bytes to the encoding against the HOG detector alone."""
    options = EngineOptions()
    engine, detector = fast_engine(Model.HOG, options, MODELS, "cpu"), HogDetector()
    out = io.BytesIO()
    Image.fromarray(within(pictures.archive_pictures()["obama.jpg"], MEGAPIXEL[0] * MEGAPIXEL[1])).save(
        out, "JPEG", quality=90
    )
    image = out.getvalue()
    pixels = decode(image, options).pixels
    if len(engine.faces(image).faces) != 1:
        raise SystemExit("the photo of the scan must have one face")
    alone, whole = fastest(4 * rounds, lambda: detector.find(pixels), lambda: engine.faces(image))
    row("HOG alone, whole scan", alone, whole)
    return {"scan_over_hog": whole / alone}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'CPU milliseconds on one core':32}{'theirs':>10} {'ours':>10} {'ratio':>8}")
    result = encoding(rounds) | cnn(max(1, rounds // 2)) | scan(rounds)
    print(json.dumps({key: round(value, 8) for key, value in result.items()} | {"aims": AIMS}))


if __name__ == "__main__":
    main()
