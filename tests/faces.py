"""Faces made for tests: an encoding is a point on a line, so that distances are plain to see."""

from __future__ import annotations

import itertools
import time

import numpy as np

from facerec.adapters.redis import RedisAdmissions
from facerec.faces import Analysis, Box, Encoding, Face, Mark, Model, Point
from facerec.identity import DEFAULT_OWNER, image_hash
from facerec.jobs import ScanJob

_numbers = itertools.count()


def encoding(at: float) -> Encoding:
    """An encoding at ``at`` on the first axis: two of them are as far apart as their numbers."""
    row = np.zeros(128, np.float32)
    row[0] = at
    return row


def face(at: float, model: Model = Model.HOG, marks: frozenset[Mark] = frozenset()) -> Face:
    landmarks = tuple(Point(10 + 7 * n, 20 + 3 * n) for n in range(5))
    return Face(Box(10, 90, 80, 5), landmarks, 0.75, encoding(at), model, marks)


def analysis(*places: float, model: Model = Model.HOG) -> Analysis:
    return Analysis(100, 100, model, tuple(face(at, model) for at in places))


def unique_bytes() -> bytes:
    return f"picture {next(_numbers)} of {time.time_ns()}".encode()


def scan_job(admissions: RedisAdmissions, name: str, body: bytes | None = None, owner: str = DEFAULT_OWNER) -> ScanJob:
    """A job as the front door makes one, announced to the store."""
    body = unique_bytes() if body is None else body
    key = image_hash(body)
    now = time.time()
    return ScanJob(owner, key, name, admissions.announce(owner, key, name, now).ticket, now, body)
