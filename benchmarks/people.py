"""How well do pictures gather into persons, in whatever order they arrive?

``python -m benchmarks.people [--orders 1000] [--seed 1]`` prints three tables and, last, one JSON line:

1. ``lfw100`` (10 people, 10 pictures each) in random orders, and ``portraits`` in the same way: an order is good when ten
   persons have nine or more right pictures each and no person has faces of two people. Beside it, what plain "nearest known
   face within a limit" does.
2. Look-alikes: two people of ``lfw100`` at a time, their encodings shifted towards each other.
3. Made-up crowds: centres spread like those of real people (0.4 % of strangers within 0.6), around each the deviations of
   a real person; with many more people than any folder of ours has.

``orders_good`` is the share of good orders, ``mixed`` the mean number of persons with faces of two people.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facerec.engine import EngineOptions, open_engine
from facerec.faces import Analysis, Face, Model
from facerec.identity import face_id
from facerec.services.grouping import RADIUS, Board, Neighbour, is_grouped
from tests import pictures

Rows = NDArray[np.float64]
Placing = Callable[["Library", Sequence[int]], dict[int, int | None]]
ENOUGH = 9
SEVERAL = {
    "obama_and_biden": ("biden", "obama", "somebody"),
    "two_people": ("obama", "biden"),
    "kit_with_rose": ("rose", "kit"),
    "32bit": ("obama",),
}
"""Who is on a portrait, from left to right, where the file's name does not begin with it."""
SPECTRUM = 20.0
"""Decay of the made-up centres' spread: with this one 0.4 % of strangers are within 0.6, as in lfw100."""


@dataclass
class Library:
    """Pictures with faces, and who they show. Picture n has the faces n * 4096, n * 4096 + 1 ..."""

    people: dict[int, str] = field(default_factory=dict)
    pictures: list[list[int]] = field(default_factory=list)
    encodings: list[Rows] = field(default_factory=list)

    def add(self, faces: Iterable[tuple[str, Rows]]) -> None:
        ids = []
        for number, (person, encoding) in enumerate(faces):
            ids.append(face_id(len(self.pictures) + 1, number))
            self.people[ids[-1]] = person
            self.encodings.append(encoding)
        self.pictures.append(ids)

    def near(self) -> dict[int, list[Neighbour]]:
        """The faces around each face."""
        rows = np.array(self.encodings, np.float64)
        ids = np.array(list(self.people))
        squares = np.einsum("ij,ij->i", rows, rows)
        found = {}
        for n, face in enumerate(self.people):
            far = np.sqrt(np.maximum(0, squares + squares[n] - 2 * rows @ rows[n]))
            close = np.flatnonzero(far <= RADIUS)
            pairs = zip(far[close].tolist(), ids[close].tolist(), strict=True)
            found[face] = sorted(Neighbour(distance, other) for distance, other in pairs if other != face)
        return found


@dataclass(frozen=True)
class Score:
    """``whole``: people of whom one person has ENOUGH faces; ``split``: persons beyond the first of somebody."""

    persons: int
    whole: int
    mixed: int
    wrong: int
    split: int
    alone: int
    share: float

    @property
    def is_good(self) -> bool:
        return self.whole == 10 and self.mixed == 0


def score(library: Library, placed: dict[int, int | None]) -> Score:
    """How right the persons are."""
    persons: dict[int, Counter[str]] = defaultdict(Counter)
    for face, person in placed.items():
        if person is not None:
            persons[person][library.people[face]] += 1
    best: dict[str, list[int]] = defaultdict(list)
    for faces in persons.values():
        who, count = faces.most_common(1)[0]
        best[who].append(count)
    return Score(
        persons=len(persons),
        whole=sum(max(counts) >= ENOUGH for counts in best.values()),
        mixed=sum(len(faces) > 1 for faces in persons.values()),
        wrong=sum(faces.total() - faces.most_common(1)[0][1] for faces in persons.values()),
        split=sum(len(counts) - 1 for counts in best.values()),
        alone=sum(person is None for person in placed.values()),
        share=sum(max(counts) for counts in best.values()) / len(library.people),
    )


def by_the_rule(library: Library) -> Placing:
    near = library.near()

    def place(_: Library, order: Sequence[int]) -> dict[int, int | None]:
        board = Board(near=near)
        for picture in order:
            for face in library.pictures[picture]:
                board.arrive(face)
        return board.persons

    return place


def by_the_nearest(library: Library, limit: float) -> Placing:
    """What many systems do: a face goes where its nearest known face is, or founds a person."""
    near = library.near()

    def place(_: Library, order: Sequence[int]) -> dict[int, int | None]:
        placed: dict[int, int | None] = {}
        for picture in order:
            for face in library.pictures[picture]:
                known = [n for n in near[face] if n.face_id in placed and n.distance <= limit]
                placed[face] = placed[known[0].face_id] if known else face
        return placed

    return place


def try_orders(library: Library, place: Placing, orders: int, seed: int) -> list[Score]:
    shuffle = random.Random(seed)
    found = []
    for _ in range(orders):
        order = list(range(len(library.pictures)))
        shuffle.shuffle(order)
        found.append(score(library, place(library, order)))
    return found


# ------------------------------------------------------------ real pictures


def read_libraries() -> tuple[Library, Library]:
    """``lfw100`` and ``portraits`` through the engine."""
    with tempfile.TemporaryDirectory() as cache:
        engine = open_engine(Model.HOG, EngineOptions(), Path(cache), "cpu")
        lfw, portraits = Library(), Library()
        for person, paths in pictures.lfw100().items():
            for path in paths:
                lfw.add(_named(person, engine.faces(path.read_bytes())))
        for name, path in pictures.portraits().items():
            portraits.add(_portrayed(Path(name).stem, engine.faces(path.read_bytes()).faces))
    return lfw, portraits


def _portrayed(stem: str, faces: Sequence[Face]) -> list[tuple[str, Rows]]:
    who = SEVERAL.get(stem, (stem.split("_", maxsplit=1)[0].rstrip("0123456789"),))
    from_left = sorted(faces, key=lambda face: face.box.left)
    return [
        (person, face.encoding.astype(np.float64))
        for person, face in zip(who, from_left, strict=True)
        if is_grouped(face.model, face.confidence, comparable=face.comparable)
    ]


def _named(person: str, analysis: Analysis) -> list[tuple[str, Rows]]:
    """The face in the middle is the person, any other somebody else: the one beside Arnold Schwarzenegger is always his wife."""

    def off_centre(face: Face) -> float:
        return abs(face.box.left + face.box.right - analysis.width)

    middle = min(analysis.faces, key=off_centre)
    return [
        (person if face is middle else f"beside {person}", face.encoding.astype(np.float64))
        for face in analysis.faces
        if is_grouped(face.model, face.confidence, comparable=face.comparable)
    ]


def centres(library: Library) -> tuple[list[str], Rows, list[Rows]]:
    """The people with ENOUGH faces, the mean of each one's encodings, and the deviations from it."""
    rows = defaultdict(list)
    for (_, person), encoding in zip(library.people.items(), library.encodings, strict=True):
        rows[person].append(encoding)
    names = sorted(person for person, own in rows.items() if len(own) >= ENOUGH)
    middles = np.array([np.mean(rows[person], axis=0) for person in names])
    spread = [
        (np.array(rows[person]) - middle) * np.sqrt(len(rows[person]) / (len(rows[person]) - 1))
        for person, middle in zip(names, middles, strict=True)
    ]
    return names, middles, spread


def look_alikes(library: Library, apart: float, orders: int, seed: int) -> list[Score]:
    """Every two people with their centres ``apart``."""
    names, middles, spread = centres(library)
    found = []
    for one, two in combinations(range(len(names)), 2):
        away = middles[two] - middles[one]
        away *= apart / np.linalg.norm(away)
        pair = Library()
        for row in spread[one]:
            pair.add([(names[one], middles[one] + row)])
        for row in spread[two]:
            pair.add([(names[two], middles[one] + away + row)])
        found += try_orders(pair, by_the_rule(pair), orders, seed)
    return found


# ------------------------------------------------------------ made-up crowds


def crowd(library: Library, people: int, pictures_of_each: tuple[int, int], seed: int) -> Library:
    """Made-up people, as far from each other on average as those of ``library``, each as varied as one of them."""
    draw = np.random.default_rng(seed)
    _, middles, spread = centres(library)
    real = np.mean([np.linalg.norm(one - two) for one, two in combinations(middles, 2)])
    weights = np.sqrt(np.exp(-np.arange(middles.shape[1]) / SPECTRUM))
    made = draw.normal(size=(people, middles.shape[1])) * weights
    made *= real / np.mean([np.linalg.norm(one - two) for one, two in combinations(made[:100], 2)])
    found = Library()
    faces = []
    for person, middle in enumerate(made):
        own = spread[draw.integers(len(spread))]
        for _ in range(draw.integers(*pictures_of_each)):
            one, two = draw.choice(len(own), 2, replace=False)
            angle = draw.uniform(0, 2 * np.pi)
            faces.append((f"person {person}", middle + own[one] * np.cos(angle) + own[two] * np.sin(angle)))
    for place in draw.permutation(len(faces)):
        found.add([faces[place]])
    return found


# ------------------------------------------------------------ tables


def mean(scores: Sequence[Score], what: str) -> float:
    return float(np.mean([getattr(each, what) for each in scores]))


def show(title: str, scores: Sequence[Score]) -> None:
    columns = [f"{mean(scores, what):8.2f}" for what in ("persons", "mixed", "wrong", "split", "alone", "share")]
    print(f"{title:38}{mean(scores, 'is_good'):8.3f}{''.join(columns)}")


def heading(title: str) -> None:
    print(f"\n{title:38}{'good':>8}{'persons':>8}{'mixed':>8}{'wrong':>8}{'split':>8}{'alone':>8}{'share':>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not pictures.lfw100():
        parser.exit(1, "the pictures lfw100 are not here: FACEREC_FACES names their folder\n")
    print(json.dumps(measure(options.orders, options.seed)))


def measure(orders: int, seed: int) -> dict[str, Any]:
    """Print the tables; the numbers that matter."""
    lfw, portraits = read_libraries()
    heading(f"lfw100, {orders} orders")
    ours = try_orders(lfw, by_the_rule(lfw), orders, seed)
    show("the rule", ours)
    for limit in (0.6, 0.55, 0.5):
        show(f"nearest within {limit}", try_orders(lfw, by_the_nearest(lfw, limit), min(orders, 200), seed))
    heading("portraits, 6 people and somebody")
    alone = try_orders(portraits, by_the_rule(portraits), min(orders, 200), seed)
    show("the rule", alone)
    heading("look-alikes, 45 pairs of people")
    pairs = {apart: look_alikes(lfw, apart, max(1, orders // 100), seed) for apart in (0.6, 0.5, 0.45, 0.4, 0.35, 0.3)}
    for apart, scores in pairs.items():
        show(f"centres {apart} apart", scores)
    heading("crowds, 2 to 11 pictures of each")
    crowds = {people: crowd(lfw, people, (2, 12), seed) for people in (100, 400, 1500)}
    scored = {people: try_orders(made, by_the_rule(made), 1, seed) for people, made in crowds.items()}
    for people, scores in scored.items():
        show(f"{people} people, {len(crowds[people].people)} faces", scores)
    nearest = by_the_nearest(crowds[400], 0.55)
    show("400 people, nearest within 0.55", try_orders(crowds[400], nearest, 1, seed))
    print()
    return {
        "orders": orders,
        "orders_good": mean(ours, "is_good"),
        "mixed": mean(ours, "mixed"),
        "alone": mean(ours, "alone"),
        "portraits_persons": mean(alone, "persons"),
        "portraits_mixed": mean(alone, "mixed"),
        "portraits_alone": mean(alone, "alone"),
        "look_alikes_mixed": {str(apart): mean(scores, "mixed") for apart, scores in pairs.items()},
        "crowd_400_wrong": mean(scored[400], "wrong") / len(crowds[400].people),
        "crowd_1500_wrong": mean(scored[1500], "wrong") / len(crowds[1500].people),
    }


if __name__ == "__main__":
    main()
