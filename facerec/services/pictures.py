"""The pictures of an image: what is kept of it under which names, and how to find it again.

=============  ==============================================================================
name           holds
=============  ==============================================================================
original       the bytes as they were sent
preview.jpg    the upright picture, longest side 1280 pixels at most, without metadata
small.jpg      the same, 320 pixels
face-<n>.jpg   the n-th face with some of its surroundings, 160 x 160
chip-<n>.png   the n-th face normalized for the encoder, 150 x 150, lossless
chips-of       number of the model whose boxes the normalized faces show, once a regeneration has found others
=============  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping

from facerec.faces import Analysis
from facerec.identity import FACES_PER_IMAGE
from facerec.ports import ImageStore, Whereabouts

ORIGINAL = "original"
PREVIEW = "preview.jpg"
SMALL = "small.jpg"
CHIPS_OF = "chips-of"


def thumbnail_name(number: int) -> str:
    """The name of the ``number``-th face's thumbnail."""
    return f"face-{number}.jpg"


def chip_name(number: int) -> str:
    """The name of the ``number``-th normalized face."""
    return f"chip-{number}.png"


def pictures_of(original: bytes, analysis: Analysis) -> Mapping[str, bytes]:
    """All that is kept of an image, by name."""
    kept = {ORIGINAL: original}
    kept |= {chip_name(number): chip for number, chip in enumerate(analysis.chips)}
    if analysis.renderings is None:
        return kept
    kept |= {PREVIEW: analysis.renderings.preview, SMALL: analysis.renderings.small}
    return kept | {thumbnail_name(number): face for number, face in enumerate(analysis.renderings.thumbnails)}


class Pictures:
    """The pictures of an owner, to be looked at. All methods raise StoreUnavailable, ImageStoreUnavailable."""

    def __init__(self, store: ImageStore, whereabouts: Whereabouts) -> None:
        self.store = store
        self._whereabouts = whereabouts

    def of_image(self, owner: str, image_hash: str, name: str) -> bytes | None:
        """A picture of the image by its name; None when there is no such image, or the picture is not kept."""
        if self.store.kind == "none":
            return None
        place = self._whereabouts.of_image(owner, image_hash)
        return None if place is None else self.store.get(place, name)

    def thumbnail(self, owner: str, face_id: int) -> bytes | None:
        """The face; None when there is no such face, or it is not kept."""
        if self.store.kind == "none":
            return None
        place = self._whereabouts.of_face(owner, face_id)
        return None if place is None else self.store.get(place, thumbnail_name(face_id % FACES_PER_IMAGE))
