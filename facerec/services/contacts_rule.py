"""Contacts by appearance: clusters, who represents them, and how sure an answer is. Measured by benchmarks/contacts.py.

Within a contact the faces are taken by falling score (ties: lowest id). Each joins the first cluster whose representative is at
most ``LIKE`` away, else it founds a cluster and represents it. So a representative is always the best face of its cluster, every
face looks like its representative, and the outcome follows from the faces alone, not from the order in which they came.

A probe is as near to a contact as to the nearest of its representatives. ``recognition_confidence`` is a logistic function of
that distance, see `confidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from facerec.encodings import Encodings, distances

LIKE = 0.4
"""Euclidean, inclusive. Two pictures of one person are 0.40 apart in the median, so that five pictures of a person make three
clusters: enough variety to be found by, without what would only repeat. Tighter adds representatives and nothing else (0.3:
4.8 of five), looser ones miss people (0.5: 1.4 of five)."""
MIDDLE = 0.55
"""The distance of confidence 0.5: the middle of the span, 0.49 to 0.60, in which more than 96 % of the probes of an enrolled
person are at most that far away and more than 95 % of strangers farther, whichever people are enrolled."""
SOFTNESS = 0.04
"""How flat the curve is. Two normal distributions as measured (same person 0.38 +- 0.06, others 0.74 +- 0.07) would ask for
0.01; ten persons of one press archive do not support so much certainty."""
CANDIDATES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """A face as the clusters see it. ``group`` keeps apart what must not be compared (models); ``encoding`` has shape (128,)."""

    id: int
    score: float
    group: int
    encoding: Encodings


def representatives(faces: Sequence[Ranked]) -> dict[int, int]:
    """Face id -> id of the face that represents its cluster (a representative's own for itself)."""
    leaders: list[Ranked] = []
    found: dict[int, int] = {}
    for face in sorted(faces, key=lambda face: (-face.score, face.id)):
        leader = _leader(leaders, face)
        if leader is None:
            leaders.append(face)
            leader = face
        found[face.id] = leader.id
    return found


def _leader(leaders: Sequence[Ranked], face: Ranked) -> Ranked | None:
    known = [leader for leader in leaders if leader.group == face.group]
    if not known:
        return None
    near = distances(np.stack([leader.encoding for leader in known]), face.encoding[None, :]) <= LIKE
    first = int(near.argmax())
    return known[first] if near[first] else None


def confidence(distance: float) -> float:
    """How surely two faces so far apart are of one person: 1 / (1 + e^((distance - MIDDLE) / SOFTNESS)).

    Strictly falling, exactly 0.5 at MIDDLE; 0.98 at 0.40, 0.92 at 0.45, 0.22 at 0.60, 0.01 at 0.75.
    """
    return 1.0 / (1.0 + exp((distance - MIDDLE) / SOFTNESS))


@dataclass(frozen=True, slots=True)
class Candidate:
    """``place`` is the row of the nearest representative of a contact."""

    place: int
    distance: float


def nearest_contacts(probe: Encodings, encodings: Encodings, contacts: Sequence[int]) -> list[Candidate]:
    """The nearest contacts, at most CANDIDATES, each with its nearest representative; ties by contact.

    ``encodings`` has shape (n, 128), ``contacts`` says whose each row is.
    """
    if not len(encodings):
        return []
    far = distances(encodings, probe[None, :])
    best: dict[int, Candidate] = {}
    for place in np.argsort(far, kind="stable"):
        contact = contacts[int(place)]
        if contact not in best:
            best[contact] = Candidate(int(place), float(far[place]))
            if len(best) > CANDIDATES and far[place] > max(
                found.distance for found in list(best.values())[:CANDIDATES]
            ):
                break
    order = sorted(best, key=lambda contact: (best[contact].distance, contact))
    return [best[contact] for contact in order[:CANDIDATES]]
