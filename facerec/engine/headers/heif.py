"""The header of a HEIF file: the box of metadata, in which stands how its pictures are coded, and how large they are.

HEIF may hold pictures of codecs that are not read, under any brand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facerec.engine.headers.bounds import PartCount
from facerec.engine.headers.found import Measures
from facerec.errors import UnreadableImage, UnsupportedImage

_READ = (b"hvc1", b"hev1")
_OTHERS = {
    b"av01": "AV1 (it is an AVIF picture)",
    b"unci": "not compressed (unci)",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"avc1": "H.264",
    b"vvc1": "H.266",
    b"evc1": "EVC",
}


@dataclass(frozen=True, slots=True)
class _Box:
    """``begin`` and ``end`` are those of the content."""

    kind: bytes
    begin: int
    end: int


class _Heif:
    def __init__(self, image: bytes) -> None:
        self.image = image
        self._parts = PartCount("boxes")

    def boxes(self, begin: int, end: int) -> Iterator[_Box]:
        """The boxes between two places, up to one that does not end there."""
        at = begin
        while at + 8 <= end:
            self._parts.add()
            size, kind = struct.unpack_from(">I4s", self.image, at)
            head = 8
            if size == 1:
                (size,), head = struct.unpack_from(">Q", self.image, at + 8), 16
            elif size == 0:
                size = end - at
            if size < head or at + size > end:
                return
            yield _Box(kind, at + head, at + size)
            at += size

    def inside(self, box: _Box, kind: bytes, skipped: int = 0) -> _Box:
        """The first box of a kind in another one, behind so many bytes. Raises UnreadableImage."""
        for found in self.boxes(box.begin + skipped, box.end):
            if found.kind == kind:
                return found
        raise UnreadableImage(f"the picture is cut off, or has no box {kind.decode()!r}")

    def number(self, layout: str, at: int) -> int:
        return int(struct.unpack_from(layout, self.image, at)[0])

    def item_types(self, meta: _Box) -> list[bytes]:
        """The types of the items, which are pictures or metadata."""
        items = self.inside(meta, b"iinf", 4)
        head = 6 if self.image[items.begin] == 0 else 8
        return [
            # Version and flags, item id of 2 or 4 bytes, protection index of 2, then the type.
            self.image[start : start + 4]
            for box in self.boxes(items.begin + head, items.end)
            if box.kind == b"infe"
            for start in [box.begin + (8 if self.image[box.begin] == 2 else 10)]
        ]

    def primary(self, meta: _Box) -> int:
        box = self.inside(meta, b"pitm", 4)
        return self.number(">I" if self.image[box.begin] else ">H", box.begin + 4)

    def properties(self, meta: _Box, item: int) -> list[_Box]:
        """Those of an item, in the order in which they count."""
        all_of_them = self.inside(meta, b"iprp", 4)
        known = self.inside(all_of_them, b"ipco")
        boxes = list(self.boxes(known.begin, known.end))
        numbers = [
            number
            for box in self.boxes(all_of_them.begin, all_of_them.end)
            if box.kind == b"ipma"
            for number in self._associations(box, item)
        ]
        return [boxes[number - 1] for number in numbers if 0 < number <= len(boxes)]

    def _associations(self, box: _Box, item: int) -> Iterator[int]:
        version, flags = self.image[box.begin], self.image[box.begin + 3]
        at = box.begin + 8
        for _ in range(self.number(">I", box.begin + 4)):
            self._parts.add()
            found = self.number(">I" if version else ">H", at)
            at += 4 if version else 2
            count, at = self.image[at], at + 1
            for _ in range(count):
                number = self.number(">H", at) & 0x7FFF if flags & 1 else self.image[at] & 0x7F
                at += 2 if flags & 1 else 1
                if found == item:
                    yield number


def read_heif(image: bytes) -> Measures:
    """The size as the primary picture looks upright: its reader turns it.

    Raises UnreadableImage, struct.error, IndexError; UnsupportedImage when the pictures are of a codec that is not read.
    """
    heif = _Heif(image)
    meta = heif.inside(_Box(b"", 0, len(image)), b"meta")
    _check_codec(heif.item_types(meta))
    properties = heif.properties(meta, heif.primary(meta))
    sizes = [box for box in properties if box.kind == b"ispe"]
    if not sizes:
        raise UnreadableImage("the picture does not say how large it is")
    width, height = struct.unpack_from(">II", image, sizes[0].begin + 4)
    for box in properties:
        if box.kind == b"clap":
            width, height = _cropped(struct.unpack_from(">4I", image, box.begin))
        elif box.kind == b"irot" and image[box.begin] & 1:
            width, height = height, width
    return Measures(width, height)


def _cropped(fractions: Sequence[int]) -> tuple[int, int]:
    """Width and height of a clean aperture, of which both are fractions, rounded."""
    across, across_by, down, down_by = fractions
    if not across_by or not down_by:
        raise UnreadableImage("the picture is cropped to a size that is no number")
    return (across + across_by // 2) // across_by, (down + down_by // 2) // down_by


def _check_codec(kinds: list[bytes]) -> None:
    if any(kind in _READ for kind in kinds):
        return
    for kind in kinds:
        if kind in _OTHERS:
            raise UnsupportedImage(f"a HEIF file whose picture is coded as {_OTHERS[kind]}; only HEVC is read (HEIC)")
