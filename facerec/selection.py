"""Which of a photo's faces are meant: by boxes that somebody gives, or the biggest, or all."""

from __future__ import annotations

from collections.abc import Sequence

from facerec.errors import NoFaces, TooManyFaces
from facerec.faces import Analysis, Box, Renderings
from facerec.identity import check_face_count

SELECTORS = ("reject", "biggest", "all")
SAME = 0.5
"""Intersection over union from which on two boxes are of one face."""


def choose(found: Sequence[Box], selector: str, wanted: Sequence[Box]) -> tuple[list[int], list[Box]]:
    """Places in ``found`` of the faces that are meant, and the wanted boxes in which none was found.

    A wanted box means the face that has nearly this box, else the biggest one whose middle is inside. Without boxes the
    selector decides. Raises NoFaces, TooManyFaces.
    """
    if wanted:
        places = [_at(found, box) for box in wanted]
        known = dict.fromkeys(place for place in places if place is not None)
        return list(known), [box for box, place in zip(wanted, places, strict=True) if place is None]
    if not found:
        raise NoFaces("no face was found in the photo")
    if selector == "reject" and len(found) > 1:
        raise TooManyFaces(f"Too many faces: {len(found)}", found)
    if selector == "all":
        return list(range(len(found))), []
    return [max(range(len(found)), key=lambda place: (found[place].area, -place))], []


def places_of(found: Sequence[Box], wanted: Sequence[Box]) -> list[int | None]:
    """For each wanted box the place of the face that has nearly this box, each but once; None where there is none."""
    places: list[int | None] = []
    for box in wanted:
        best = max(range(len(found)), key=lambda place: overlap(found[place], box), default=None)
        is_it = best is not None and best not in places and overlap(found[best], box) >= SAME
        places.append(best if is_it else None)
    return places


def joined(one: Analysis, other: Analysis) -> Analysis:
    """Two analyses of one picture as one; those of the other come last. Raises TooLarge."""
    check_face_count(len(one.faces) + len(other.faces))
    renderings = one.renderings
    if renderings and other.renderings:
        thumbnails = renderings.thumbnails + other.renderings.thumbnails
        renderings = Renderings(renderings.preview, renderings.small, thumbnails)
    return Analysis(one.width, one.height, one.model, (*one.faces, *other.faces), one.chips + other.chips, renderings)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    common = max(0, height) * max(0, width)
    whole = one.area + other.area - common
    return common / whole if whole else 0.0


def _at(found: Sequence[Box], wanted: Box) -> int | None:
    best = max(range(len(found)), key=lambda place: overlap(found[place], wanted), default=None)
    if best is not None and overlap(found[best], wanted) >= SAME:
        return best
    inside = [place for place, box in enumerate(found) if _has_middle_of(wanted, box)]
    return max(inside, key=lambda place: found[place].area, default=None)


def _has_middle_of(wanted: Box, box: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return wanted.left <= x <= wanted.right and wanted.top <= y <= wanted.bottom
