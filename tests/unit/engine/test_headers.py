"""The header parsers tell what the decoders tell."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress

import pillow_heif
import pytest
from PIL import BmpImagePlugin, Image, TiffImagePlugin

from facerec.engine.headers import format_of, probe
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import UnreadableImage
from tests.unit.engine.hostile import (
    box,
    exif_of,
)
from tests.unit.engine.scenes import saved, scene
from tests.unit.engine.variants import turned as in_every_way
from tests.unit.engine.variants import variants, with_property

MAX = 100_000_000


def by_pillow(image: bytes) -> tuple[int, int, int]:
    """Size, and orientation where the reader leaves it to the caller."""
    name = format_of(image)
    readers = {
        "HEIF": pillow_heif.HeifImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
    }
    source = io.BytesIO(image)
    with warnings.catch_warnings(action="ignore"):
        opened = readers[name](source) if name in readers else Image.open(source)
        width, height = opened.size
        found = 1
        with suppress(ValueError, SyntaxError):  # of what is no EXIF
            found = 1 if name == "TIFF" else opened.getexif().get(0x0112, 1)
    return width, height, found if isinstance(found, int) and 1 <= found <= 8 else 1


def told(image: bytes) -> tuple[int, int, int]:
    header = probe(image, MAX)
    return header.width, header.height, header.orientation


@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_is_that_of_pillow(orientation: int) -> None:
    found = {name: (told(image), by_pillow(image)) for name, image in in_every_way(orientation)}
    assert {name: both for name, both in found.items() if both[0] != both[1]} == {}
    if orientation == 6:
        assert {name for name, (ours, _) in found.items() if ours[2] != 6 and ours[:2] == (64, 48)} == {
            "EXIF of bytes",
            "raw profile that is none",
            "EXIF on both sides",
            "PNG with both",
            "JPEG with both",
            "WEBP with both",
            "TIFF with XMP",
            "TIFF with both",
        }


@pytest.mark.parametrize("name", variants())
def test_the_size_is_that_of_the_decoder(name: str) -> None:
    image = variants()[name]
    header = probe(image, MAX)
    assert told(image) == by_pillow(image)
    picture = decode(image, EngineOptions())
    upright = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
    assert (picture.width, picture.height) == upright


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "fractions",
    [(40, 1, 30, 1, 0, 1, 0, 1), (81, 2, 61, 2, 0, 1, 0, 1), (83, 2, 63, 2, 1, 2, 1, 2), (121, 3, 92, 3, 0, 1, 0, 1)],
)
def test_a_heif_is_cropped_and_turned_as_its_reader_does(fractions: tuple[int, ...], turned: bool) -> None:
    image = saved(scene(), "HEIF", exif=exif_of(6).tobytes()) if turned else saved(scene(), "HEIF")
    cropped = with_property(image, box(b"clap", struct.pack(">8I", *fractions)))
    assert told(cropped) == by_pillow(cropped)
    again = with_property(image, box(b"irot", b"\1"))
    assert told(again) == by_pillow(again)
    assert told(again)[0] == (64 if turned else 48)


@pytest.mark.parametrize("name", variants())
def test_a_header_that_is_cut_off_is_unreadable(name: str) -> None:
    """Or all of it is there, which the decoder then says."""
    image = variants()[name]
    for size in [*range(12, min(len(image), 1500)), len(image) - 1]:
        try:
            header = probe(image[:size], MAX)
        except UnreadableImage:
            continue
        assert (header.width, header.height) == told(image)[:2]
