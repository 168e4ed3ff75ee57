"""Which faces a search may find: the ids of a gallery, followed change by change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np

from facerec.encodings import FaceIds
from facerec.galleries import DEFAULT_GALLERY, HIDDEN, GallerySets
from facerec.hits import Among

REMEMBERED = 64
"""Galleries whose ids are kept, the lately used."""


class Members:
    """For use by one thread. Each use asks the store for what changed, so an answer is never older than the question."""

    def __init__(self, sets: GallerySets) -> None:
        self._sets = sets
        self._known: OrderedDict[tuple[str, str], tuple[int, FaceIds]] = OrderedDict()

    def among(self, owner: str, gallery: str) -> Among | None:
        """The faces of a gallery; None for all. Raises StoreUnavailable."""
        if gallery != DEFAULT_GALLERY:
            return Among(self._ids(owner, gallery), inside=True)
        hidden = self._ids(owner, HIDDEN)
        return Among(hidden, inside=False) if len(hidden) else None

    def _ids(self, owner: str, gallery: str) -> FaceIds:
        key = (owner, gallery)
        version, ids = self._known.pop(key, (0, np.empty(0, np.int64)))
        changes = self._sets.changes(owner, gallery, version)
        while changes:
            version, ids = changes[-1][0], _changed(ids, ((came, face) for _, came, face in changes))
            changes = self._sets.changes(owner, gallery, version)
        if changes is None:
            version, ids = self._sets.members(owner, gallery)
        self._known[key] = (version, ids)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return ids


def _changed(ids: FaceIds, changes: Iterable[tuple[bool, int]]) -> FaceIds:
    last = {face: came for came, face in changes}
    came = np.array([face for face, is_in in last.items() if is_in], np.int64)
    left = np.array([face for face, is_in in last.items() if not is_in], np.int64)
    return np.union1d(np.setdiff1d(ids, left, assume_unique=True), came)
