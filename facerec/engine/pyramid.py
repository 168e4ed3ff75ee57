"""The layout of dlib's tiled image pyramid (dlib/image_transforms/image_pyramid.h, ``compute_tiled_image_pyramid_details``).

Every level is 5/6 of the one before. The first column of levels goes down until the next one fits beside; the rest goes
up again along the right side.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE = 6
"""``pyramid_down<6>``: a level has 5/6 of the width and height of the one before."""

PADDING = 10
OUTER_PADDING = 11
"""Zero pixels between levels and around all of them: dlib's defaults, the detector was trained with them."""

SMALLEST_HEIGHT = 5
"""dlib makes no level lower than this."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a level of the pyramid lies in the tiled picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def distance2(self, x: float, y: float) -> float:
        """Squared distance of a point from the tile; 0 inside."""
        dx = max(self.left - x, 0.0, x - (self.left + self.width - 1))
        dy = max(self.top - y, 0.0, y - (self.top + self.height - 1))
        return dx * dx + dy * dy


@dataclass(frozen=True, slots=True)
class Tiling:
    """The tiled picture: its size and its levels, the largest first."""

    height: int
    width: int
    tiles: tuple[Tile, ...]

    def nearest(self, x: float, y: float) -> tuple[int, Tile]:
        """The level, with its number, that a point belongs to."""
        return min(enumerate(self.tiles), key=lambda numbered: numbered[1].distance2(x, y))

    @staticmethod
    def to_photo(level: int, coordinate: float) -> float:
        """A coordinate in a level's tile as one of the photo: ``point_up`` of ``pyramid_down<6>``, level times.

        dlib's step up is (p + 1/4) * 6/5; this is that step ``level`` times over.
        """
        growth = float((RATE / (RATE - 1)) ** level)
        return coordinate * growth + 1.5 * (growth - 1)


def pyramid_tiling(height: int, width: int) -> Tiling:
    """The layout for a photo of that size, at least 10 pixels wide: dlib's own layout fails for a narrower one."""
    sizes = _level_sizes(height, width)
    column = _first_column_height(sizes)
    tiles = _downwards(sizes, column)
    tiles += _upwards(sizes[len(tiles) :], tiles)
    return Tiling(column + 2 * OUTER_PADDING, width + 2 * OUTER_PADDING, tuple(tiles))


def _level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    sizes = []
    while True:
        sizes.append((height, width))
        rate = (RATE - 1.0) / RATE
        height, width = int(rate * height), int(rate * width)
        if height * width == 0 or height < SMALLEST_HEIGHT:
            return sizes


def _first_column_height(sizes: list[tuple[int, int]]) -> int:
    """Height of the levels that go down, with the padding between them.

    dlib compares unsigned numbers here, so that a difference below zero counts as very large; the layout of narrow
    pictures depends on it.
    """
    first_height, first_width = sizes[0]
    total = sum(height + PADDING for height, _ in sizes) - 2 * PADDING
    column = previous_width = 0
    for height, width in sizes:
        fits_beside = width <= _unsigned(first_width - previous_width - PADDING)
        if fits_beside and _unsigned((column - first_height) * 2) >= _unsigned(total - first_height):
            break
        column += height + PADDING
        previous_width = width
    return column - PADDING


def _unsigned(number: int) -> int:
    """As C++ has it in an unsigned long of 64 bits."""
    return number % 2**64


def _downwards(sizes: list[tuple[int, int]], column: int) -> list[Tile]:
    tiles = []
    top = OUTER_PADDING
    for height, width in sizes:
        if top >= column + OUTER_PADDING:
            break
        tiles.append(Tile(top, OUTER_PADDING, height, width))
        top += height + PADDING
    return tiles


def _upwards(sizes: list[tuple[int, int]], down: list[Tile]) -> list[Tile]:
    """The levels that go up along the right side, until one would touch the photo itself."""
    photo, lowest = down[0], down[-1]
    tiles = []
    bottom = lowest.top + lowest.height  # the row below the level
    right = OUTER_PADDING + photo.width
    for height, width in sizes:
        top = bottom - height
        if top < photo.top + photo.height:
            break
        tiles.append(Tile(top, right - width, height, width))
        bottom = top - PADDING
    return tiles
