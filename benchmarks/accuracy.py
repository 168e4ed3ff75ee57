"""How often two pictures of one person match, and how often those of two persons do.

``python -m benchmarks.accuracy`` runs every model and plain face_recognition over ``lfw100`` (ten persons, ten pictures
each; see tests/pictures.py for where it is looked for), takes the largest face of each picture and compares every pair:
450 of one person, 4500 of two. It prints recall and false-match rate by tolerance and, last, one JSON line
``{model: {tolerance: [recall, false]}}``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from facerec.engine import EngineOptions, open_engine
from facerec.faces import Face, Model
from tests import pictures

TOLERANCES = (0.5, 0.55, 0.6)
GRID = np.round(np.arange(0.40, 0.701, 0.025), 3)


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances of all pairs of pictures of one person and of two persons; ``missed`` pictures had no face."""

    same: NDArray[np.float64]
    other: NDArray[np.float64]
    missed: int

    def recall(self, tolerance: float) -> float:
        return float(np.mean(self.same <= tolerance))

    def false(self, tolerance: float) -> float:
        return float(np.mean(self.other <= tolerance))

    def expected_false(self, tolerance: float) -> float:
        """What a normal distribution of the strangers' distances says where too few pairs were measured."""
        z = (tolerance - float(self.other.mean())) / float(self.other.std())
        return (1 + erf(z / sqrt(2))) / 2


def largest(faces: tuple[Face, ...]) -> Face | None:
    return max(faces, key=lambda face: face.box.area, default=None)


def measure(model: Model) -> Distances:
    """Compare all pictures of lfw100 with each other."""
    engine = open_engine(model, EngineOptions(), pictures.ROOT / ".cache" / "models", "auto")
    encodings, persons, missed = [], [], 0
    for person, paths in pictures.lfw100().items():
        for path in paths:
            face = largest(engine.faces(path.read_bytes()).faces)
            if face is None:
                missed += 1
                continue
            encodings.append(face.encoding.astype(np.float64))
            persons.append(person)
    matrix = np.array(encodings)
    one, other = np.triu_indices(len(matrix), 1)
    distances = np.linalg.norm(matrix[one] - matrix[other], axis=1)
    same = np.array(persons)[one] == np.array(persons)[other]
    return Distances(distances[same], distances[~same], missed)


def table(measured: dict[str, Distances]) -> None:
    print(
        f"{'model':10} {'pictures without a face':>24} "
        + " ".join(f"{'recall / false at ' + str(t):>26}" for t in TOLERANCES)
    )
    for name, distances in measured.items():
        cells = (f"{distances.recall(t) * 100:16.1f} % {distances.false(t) * 100:5.2f} %" for t in TOLERANCES)
        print(f"{name:10} {distances.missed:24} " + " ".join(f"{cell:>26}" for cell in cells))


def grid(name: str, distances: Distances) -> None:
    """The finer table from which the presets in docs/accuracy.md are taken."""
    print(
        f"\n{name}: strangers are {distances.other.mean():.3f} +- {distances.other.std():.3f} apart, "
        f"nearest {distances.other.min():.3f}"
    )
    print(f"{'tolerance':>10} {'recall':>9} {'false':>9} {'expected':>12}")
    for tolerance in GRID:
        print(
            f"{tolerance:10.3f} {distances.recall(tolerance) * 100:7.1f} % {distances.false(tolerance) * 100:7.3f} % "
            f"1 in {1 / distances.expected_false(tolerance):8.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[m.name for m in Model], choices=[m.name for m in Model])
    names = parser.parse_args().models
    if not pictures.lfw100():
        raise SystemExit("no lfw100 here: name its parent folder in FACEREC_FACES")
    measured = {name: measure(Model[name]) for name in names}
    table(measured)
    for name, distances in measured.items():
        grid(name, distances)
    result = {
        name: {str(t): [round(d.recall(t), 4), round(d.false(t), 5)] for t in TOLERANCES}
        for name, d in measured.items()
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
