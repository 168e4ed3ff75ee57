"""How much of a header is looked at."""

from __future__ import annotations

from facerec.errors import UnreadableImage

MOST_PARTS = 10_000
"""Segments, chunks, blocks, boxes or tags before a picture is refused; photos have some dozens."""
MOST_TEXT = 1 << 20
"""Bytes of a compressed text, unpacked. Pillow reads no more either."""


class PartCount:
    """Counts the parts of one header."""

    def __init__(self, called: str, most: int = MOST_PARTS) -> None:
        self._called, self._most, self._count = called, most, 0

    def add(self, count: int = 1) -> None:
        """Raises UnreadableImage when there are more than the most that are looked at."""
        self._count += count
        if self._count > self._most:
            raise UnreadableImage(f"the picture's header has more than {self._most} {self._called}")
