"""A damaged picture is unreadable, never one without faces; one that is whole and only unusual is read."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from facerec.engine.chips import chip_from_png, chip_to_png
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import UnreadableImage
from tests.unit.engine.scenes import saved

OPTIONS = EngineOptions()
SMALL = EngineOptions(detect_max_area=20_000)
"""At which a large JPEG is decoded at reduced size."""
WIDTH, HEIGHT = 320, 240


def photo() -> Image.Image:
    """A picture that does not compress well, so that most of its file are pixels."""
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


FILES = {
    "JPEG": saved(photo(), "JPEG"),
    "progressive JPEG": saved(photo(), "JPEG", progressive=True),
    "PNG": saved(photo(), "PNG"),
    "PNG with a palette": saved(photo().quantize(64), "PNG"),
    "grey PNG": saved(photo().convert("L"), "PNG"),
    "GIF": saved(photo().quantize(256), "GIF"),
    "WebP": saved(photo(), "WEBP"),
    "lossless WebP": saved(photo(), "WEBP", lossless=True),
    "BMP": saved(photo(), "BMP"),
    "TIFF": saved(photo(), "TIFF"),
    "TIFF with LZW": saved(photo(), "TIFF", compression="tiff_lzw"),
    "TIFF with Deflate": saved(photo(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF with JPEG": saved(photo(), "TIFF", compression="jpeg"),
    "HEIF": saved(photo(), "HEIF"),
}
PNGS = [name for name in FILES if "PNG" in name]


def is_read(image: bytes, options: EngineOptions = OPTIONS) -> bool:
    try:
        picture = decode(image, options)
    except UnreadableImage:
        return False
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    return True


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def png_of(parts: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )


def in_small_chunks(png: bytes, size: int = 1000) -> list[tuple[bytes, bytes]]:
    """Its chunks, the pixels in many."""
    parts = chunks(png)
    pixels = b"".join(body for name, body in parts if name == b"IDAT")
    before = parts[: [name for name, _ in parts].index(b"IDAT")]
    return [*before, *((b"IDAT", pixels[at : at + size]) for at in range(0, len(pixels), size)), (b"IEND", b"")]


@pytest.mark.parametrize("options", [OPTIONS, SMALL], ids=["whole", "reduced"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_unreadable(name: str, options: EngineOptions) -> None:
    image = FILES[name]
    assert is_read(image, options)
    assert [share for share in range(5, 100, 5) if is_read(image[: len(image) * share // 100], options)] == []


@pytest.mark.parametrize("name", PNGS)
def test_a_changed_byte_of_the_pixels_of_a_png_is_seen(name: str) -> None:
    image, chance = FILES[name], random.Random(name)
    begin = image.index(b"IDAT")
    for _ in range(200):
        broken = bytearray(image)
        broken[chance.randrange(begin - 4, len(image) - 12)] ^= 1 << chance.randrange(8)
        assert not is_read(bytes(broken))


def test_a_png_that_ends_between_two_chunks_of_its_pixels_is_unreadable() -> None:
    parts = in_small_chunks(FILES["PNG"])
    assert is_read(png_of(parts))
    for kept in range(2, len(parts) - 1, 10):
        assert not is_read(png_of(parts[:kept]))
        assert not is_read(png_of([*parts[:kept], parts[-1]]))


def test_the_palette_of_a_png_belongs_to_its_pixels() -> None:
    image = bytearray(FILES["PNG with a palette"])
    image[image.index(b"PLTE") + 10] ^= 1
    assert not is_read(bytes(image))


def test_a_changed_byte_is_seen_whatever_says_which_side_is_up() -> None:
    """To find the orientation of a PNG that does not begin with it, Pillow decodes the pixels: what is wrong it says once."""
    exif = Image.Exif()
    exif[0x0112] = 1
    for image in (saved(photo(), "PNG"), saved(photo(), "PNG", exif=exif)):
        broken = bytearray(image)
        broken[len(image) // 2] ^= 0x10
        with pytest.raises(UnreadableImage, match="check sum of a chunk IDAT is wrong"):
            decode(bytes(broken), OPTIONS)


def test_what_the_decoder_finds_while_it_looks_for_the_orientation_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facerec.engine.pictures.check_png", lambda _png: None)
    image = FILES["PNG"]
    broken = image[: len(image) // 2] + bytes(64) + image[len(image) // 2 + 64 :]
    assert not is_read(broken)


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_picture_do_not_matter(name: str) -> None:
    assert is_read(FILES[name] + bytes(100))
    assert is_read(FILES[name] + b"junk" * 1000)


def test_a_png_whose_end_is_missing_is_whole() -> None:
    parts = chunks(FILES["PNG"])
    assert is_read(png_of(parts[:-1]))
    assert is_read(png_of(parts)[:-1])


def test_metadata_behind_the_pixels_may_be_odd() -> None:
    parts = chunks(FILES["PNG"])
    odd = [(b"eXIf", b"II*\0\xff\xff\xff\xff"), (b"tEXt", b"\xff" * 50), (b"prIv", b"")]
    image = png_of([*parts[:-1], *odd, parts[-1]])
    assert is_read(image)
    changed = bytearray(image)
    changed[image.index(b"tEXt") + 10] ^= 1
    assert is_read(bytes(changed))


def test_the_orientation_may_stand_behind_the_pixels() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    parts = chunks(FILES["PNG"])
    image = png_of([*parts[:-1], (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")), parts[-1]])
    picture = decode(image, OPTIONS)
    assert (picture.width, picture.height) == (HEIGHT, WIDTH)


def test_an_animation_may_be_damaged_behind_its_first_frame() -> None:
    out = io.BytesIO()
    photo().save(out, "PNG", save_all=True, append_images=[photo().rotate(180)])
    image = bytearray(out.getvalue())
    image[image.rindex(b"fdAT") + 100] ^= 1
    assert is_read(bytes(image))


def test_a_stored_chip_with_a_changed_byte_is_no_chip() -> None:
    chip = np.asarray(photo().resize((150, 150)))
    png = bytearray(chip_to_png(chip))
    assert (chip_from_png(bytes(png)) == chip).all()
    png[len(png) // 2] ^= 1
    with pytest.raises(UnreadableImage):
        chip_from_png(bytes(png))


def test_text_of_a_png_is_read_over() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "Ä" * 100)
    assert is_read(saved(photo(), "PNG", pnginfo=text))
