"""Previews and thumbnails: sizes, what they show, what they do not tell."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw

from facerec.engine.options import EngineOptions
from facerec.engine.renderings import PREVIEW_SIDE, SMALL_SIDE, THUMBNAIL_SIDE, render
from facerec.errors import TooLarge, UnreadableImage
from facerec.faces import Box, Renderings

RED, GREEN = (200, 30, 30), (30, 160, 60)


def picture(width: int, height: int, box: Box | None = None, kind: str = "JPEG", orientation: int = 1) -> bytes:
    """A green picture with a red box, stored sideways when ``orientation`` says so."""
    drawn = Image.new("RGB", (width, height), GREEN)
    if box:
        ImageDraw.Draw(drawn).rectangle((box.left, box.top, box.right, box.bottom), fill=RED)
    if orientation == 6:
        drawn = drawn.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    out = io.BytesIO()
    drawn.save(out, kind, exif=exif, quality=95) if kind == "JPEG" else drawn.save(out, kind)
    return out.getvalue()


def opened(jpeg: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    return picture


def is_near(picture: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = picture.convert("RGB").getpixel(place)
    return isinstance(found, tuple) and all(abs(a - b) < 40 for a, b in zip(found, colour, strict=True))


@pytest.mark.parametrize(("width", "height"), [(3000, 2000), (500, 1600), (200, 100), (1, 1)])
def test_sizes(width: int, height: int) -> None:
    made = render(picture(width, height), [Box(0, 1, 1, 0)], EngineOptions())

    for jpeg, side in ((made.preview, PREVIEW_SIDE), (made.small, SMALL_SIDE)):
        assert max(opened(jpeg).size) == min(side, max(width, height))
        assert opened(jpeg).width * height == pytest.approx(opened(jpeg).height * width, rel=0.02)
    assert opened(made.thumbnails[0]).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    "box",
    [
        Box(top=500, right=900, bottom=700, left=700),
        Box(top=-40, right=160, bottom=160, left=-40),
        Box(top=1900, right=3100, bottom=2100, left=2900),
    ],
)
def test_a_thumbnail_shows_the_face(box: Box, orientation: int) -> None:
    made = render(picture(3000, 2000, box, orientation=orientation), [box], EngineOptions(detect_max_area=100_000))
    face = opened(made.thumbnails[0])

    inside = [(x, y) for x in range(0, 160, 8) for y in range(0, 160, 8) if is_near(face, (x, y), RED)]
    assert 0.08 < len(inside) / 400 < 0.55
    assert any(is_near(face, corner, GREEN) for corner in ((2, 2), (157, 2), (2, 157), (157, 157)))


def test_metadata_stays_behind() -> None:
    made = render(picture(400, 300, orientation=6), [Box(0, 10, 10, 0)], EngineOptions())

    for jpeg in (made.preview, made.small, *made.thumbnails):
        assert not opened(jpeg).getexif()
        assert b"camera" not in jpeg


def test_other_formats_become_jpeg() -> None:
    assert isinstance(render(picture(40, 30, kind="PNG"), [], EngineOptions()), Renderings)


def test_what_cannot_be_decoded_is_said() -> None:
    with pytest.raises(UnreadableImage):
        render(picture(400, 300)[:500], [], EngineOptions())
    with pytest.raises(TooLarge):
        render(picture(400, 300), [], EngineOptions(max_pixels=1000))
