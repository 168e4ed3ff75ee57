"""The small pictures that people look at, made where the hostile original is decoded anyway."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from facerec.engine.options import EngineOptions
from facerec.engine.pictures import Picture, decode
from facerec.faces import Box, Renderings

PREVIEW_SIDE = 1280
"""Longest side in pixels of the picture that a page shows alone."""
SMALL_SIDE = 320
"""Longest side in pixels of the picture in a list."""
THUMBNAIL_SIDE = 160
"""Width and height in pixels of a face."""
_AROUND = 1.5
"""A face's square is this many times its box: dlib's boxes end at chin and forehead, and people know faces by their hair."""
_QUALITY = 85


def render(image: bytes, boxes: Sequence[Box], options: EngineOptions) -> Renderings:
    """Preview, small picture and the face in each box. Raises what `pictures.decode` raises."""
    enough = max(options.detect_max_area, PREVIEW_SIDE * PREVIEW_SIDE)
    picture = decode(image, replace(options, detect_max_area=enough))
    whole = Image.fromarray(picture.pixels)
    return Renderings(
        preview=_jpeg(_within(whole, PREVIEW_SIDE)),
        small=_jpeg(_within(whole, SMALL_SIDE)),
        thumbnails=tuple(_jpeg(_face(whole, square_around(box, picture))) for box in boxes),
    )


def square_around(box: Box, picture: Picture) -> tuple[float, float, float]:
    """Left, top and side of the square that shows the face, in pixels of the decoded picture and inside of it."""
    height, width = picture.pixels.shape[:2]
    left, right = box.left / picture.scale_x, box.right / picture.scale_x
    top, bottom = box.top / picture.scale_y, box.bottom / picture.scale_y
    side = max(1.0, min(_AROUND * max(right - left, bottom - top), width, height))
    return _inside((left + right - side) / 2, side, width), _inside((top + bottom - side) / 2, side, height), side


def _inside(start: float, side: float, size: int) -> float:
    return min(max(0.0, start), size - side)


def _within(whole: Image.Image, side: int) -> Image.Image:
    if max(whole.size) <= side:
        return whole
    small = whole.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return small


def _face(whole: Image.Image, square: tuple[float, float, float]) -> Image.Image:
    left, top, side = square
    edges = (left, top, min(left + side, whole.width), min(top + side, whole.height))
    return whole.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, edges, reducing_gap=3.0)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return out.getvalue()
