"""Every kind of picture becomes upright RGB, and everything else a typed error."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from facerec.engine.headers import probe
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode, shrink, size_within
from facerec.errors import TooLarge, UnreadableImage, UnsupportedImage
from tests.unit.engine.scenes import HEIGHT, QUARTERS, WIDTH, every_format, saved, scene

OPTIONS = EngineOptions()
FORMATS = every_format()
INVERSE = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""By EXIF orientation, the turn that a camera held so does to the scene before it stores it (Image.Transpose)."""


def quarters(pixels: np.ndarray) -> np.ndarray:
    """The four colours of a decoded scene, in the order of QUARTERS."""
    rows, columns = pixels.shape[0] // 4, pixels.shape[1] // 4
    return pixels[[rows, rows, 3 * rows, 3 * rows], [columns, 3 * columns, columns, 3 * columns]].astype(int)


def assert_scene(image: bytes, tolerance: int = 30) -> None:
    picture = decode(image, OPTIONS)
    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert picture.pixels.shape == (HEIGHT, WIDTH, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert np.abs(quarters(picture.pixels) - np.array(QUARTERS)).max() <= tolerance
    header = probe(image, OPTIONS.max_pixels)
    assert sorted((header.width, header.height)) == sorted((WIDTH, HEIGHT))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    assert probe(FORMATS[kind], 10_000).format == kind
    assert_scene(FORMATS[kind])


@pytest.mark.parametrize("orientation", INVERSE)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_the_orientation_is_undone(kind: str, orientation: int) -> None:
    turn = INVERSE[orientation]
    stored = scene() if turn is None else scene().transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert_scene(saved(stored, kind, exif=exif.tobytes() if kind == "HEIF" else exif))


def test_an_orientation_that_makes_no_sense_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert_scene(saved(scene(), "JPEG", exif=exif))


def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    assert_scene(saved(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage"))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colour_spaces(mode: str) -> None:
    assert_scene(
        saved(
            scene().convert(mode), "JPEG" if mode == "CMYK" else "TIFF", **({"quality": 95} if mode == "CMYK" else {})
        )
    )


def test_a_cmyk_tiff() -> None:
    assert_scene(saved(scene().convert("CMYK"), "TIFF"))


@pytest.mark.parametrize("colours", [2, 16, 256])
def test_palettes(colours: int) -> None:
    palette = scene().quantize(4) if colours == 2 else scene().quantize(colours)
    assert_scene(saved(palette, "PNG"))


def grey_scene() -> np.ndarray:
    """0, 80, 160 and 240 in the four quarters."""
    ramp = np.empty((HEIGHT, WIDTH), np.uint8)
    ramp[: HEIGHT // 2, : WIDTH // 2], ramp[: HEIGHT // 2, WIDTH // 2 :] = 0, 80
    ramp[HEIGHT // 2 :, : WIDTH // 2], ramp[HEIGHT // 2 :, WIDTH // 2 :] = 160, 240
    return ramp


def assert_grey(image: bytes, tolerance: int = 2) -> None:
    found = quarters(decode(image, OPTIONS).pixels)
    assert np.abs(found - np.array([[0] * 3, [80] * 3, [160] * 3, [240] * 3])).max() <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF"])
def test_grey_pictures(kind: str) -> None:
    assert_grey(saved(Image.fromarray(grey_scene()), kind), 6)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_greys_keep_their_high_byte(kind: str) -> None:
    assert_grey(saved(Image.fromarray(grey_scene().astype(np.uint16) * 256), kind))


def test_sixteen_bit_big_endian_tiff() -> None:
    assert_grey(saved(Image.fromarray((grey_scene().astype(np.uint16) * 256).astype(">u2")), "TIFF"))


def test_sixteen_bit_colour_png() -> None:
    rows = np.asarray(scene()).astype(">u2") * 257
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    assert_scene(png(struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0), zlib.compress(raw)))


@pytest.mark.parametrize("largest", [1.0, 255.0])
def test_floating_point_tiff(largest: float) -> None:
    assert_grey(saved(Image.fromarray(grey_scene().astype(np.float32) * (largest / 255)), "TIFF"))


def test_one_bit_pictures() -> None:
    image = saved(Image.fromarray(grey_scene() > 100), "PNG")
    assert quarters(decode(image, OPTIONS).pixels)[:, 0].tolist() == [0, 0, 255, 255]


def rgba_scene() -> Image.Image:
    """The scene with its bottom right quarter transparent."""
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[HEIGHT // 2 :, WIDTH // 2 :] = 0
    picture = scene().convert("RGBA")
    picture.putalpha(Image.fromarray(alpha))
    return picture


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "HEIF"])
def test_transparent_parts_are_white(kind: str) -> None:
    found = quarters(decode(saved(rgba_scene(), kind), OPTIONS).pixels)
    assert np.abs(found - np.array([*QUARTERS[:3], (255, 255, 255)])).max() <= 30


def test_a_transparent_colour_of_a_palette_is_white() -> None:
    palette = scene().quantize(4)
    image = saved(palette, "GIF", transparency=palette.getpixel((WIDTH - 1, HEIGHT - 1)))
    assert quarters(decode(image, OPTIONS).pixels)[3].tolist() == [255, 255, 255]


def test_grey_with_alpha() -> None:
    picture = Image.merge("LA", (Image.fromarray(grey_scene()), Image.new("L", (WIDTH, HEIGHT), 255)))
    assert_grey(saved(picture, "PNG"))


def test_the_first_frame_of_an_animation() -> None:
    frames = [scene().transpose(Image.Transpose.ROTATE_180)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        assert_scene(saved(scene(), kind, save_all=True, append_images=frames), 40)


def test_the_first_picture_of_a_phone_s_mpo_file() -> None:
    image = saved(scene(), "MPO", save_all=True, append_images=[scene().convert("L").convert("RGB")], quality=95)
    assert_scene(image, 40)


def big_jpeg(width: int, height: int) -> bytes:
    return saved(scene().resize((width, height), Image.Resampling.NEAREST), "JPEG", quality=90)


def test_a_large_jpeg_is_decoded_smaller_but_not_too_small() -> None:
    picture = decode(big_jpeg(2000, 1500), EngineOptions(detect_max_area=100_000))

    assert (picture.width, picture.height) == (2000, 1500)
    assert 100_000 <= picture.pixels.shape[0] * picture.pixels.shape[1] < 400_000
    assert picture.scale_x == pytest.approx(4, rel=0.01)
    assert np.abs(quarters(picture.pixels) - np.array(QUARTERS)).max() <= 30


def test_a_turned_large_jpeg_keeps_its_measures() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = scene().resize((2000, 1500)).transpose(Image.Transpose.ROTATE_90)

    picture = decode(saved(stored, "JPEG", exif=exif), EngineOptions(detect_max_area=100_000))

    assert (picture.width, picture.height) == (2000, 1500)
    assert picture.pixels.shape[1] > picture.pixels.shape[0]


def test_shrinking_keeps_within_the_area_and_the_shape() -> None:
    width, height = size_within(4000, 3000, 2_000_000)
    assert 1_990_000 < width * height <= 2_000_000
    assert width / height == pytest.approx(4 / 3, rel=0.01)
    assert size_within(100, 100, 10_000) == (100, 100)
    small = shrink(np.asarray(scene()), 300)
    assert np.abs(quarters(small) - np.array(QUARTERS)).max() <= 60


def png(header: bytes, body: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_from_its_header() -> None:
    bomb = png(struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0), b"")
    for read in (lambda: probe(bomb, OPTIONS.max_pixels), lambda: decode(bomb, OPTIONS)):
        with pytest.raises(TooLarge):
            read()


@pytest.mark.parametrize("kind", FORMATS)
def test_probing_decodes_no_pixels(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_self: ImageFile.ImageFile) -> None:
        raise AssertionError("the pixels are decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    header = probe(FORMATS[kind], OPTIONS.max_pixels)
    assert (header.width, header.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_limit_of_pixels_is_inclusive(kind: str) -> None:
    assert probe(FORMATS[kind], WIDTH * HEIGHT).width == WIDTH
    with pytest.raises(TooLarge):
        probe(FORMATS[kind], WIDTH * HEIGHT - 1)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_picture_is_unreadable(kind: str) -> None:
    image = FORMATS[kind]
    for size in (len(image) // 2, len(image) * 3 // 4):
        with pytest.raises(UnreadableImage):
            decode(image[:size], OPTIONS)


def test_truncated_pictures_stay_unreadable_with_face_recognition_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """face_recognition sets ImageFile.LOAD_TRUNCATED_IMAGES for the whole process when it is imported."""
    from facerec.engine.reference import ReferenceEngine

    ReferenceEngine(OPTIONS)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UnreadableImage):
        decode(FORMATS["PNG"][: len(FORMATS["PNG"]) // 2], OPTIONS)


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\0" * 100,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"8BPS\0\1",
        b"%PDF-1.4",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\1\0\1\0",
        b"P6 1 1 255 abc",
        b"\0\0\0\x20ftypmp42",
    ],
)
def test_other_formats_are_not_even_tried(image: bytes) -> None:
    with pytest.raises(UnsupportedImage):
        probe(image, OPTIONS.max_pixels)


@pytest.mark.parametrize(
    "magic",
    [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"BM", b"II*\0", b"\0\0\0\x18ftypheic"],
)
def test_a_magic_number_alone_is_unreadable(magic: bytes) -> None:
    with pytest.raises(UnreadableImage):
        probe(magic, OPTIONS.max_pixels)


def test_opening_leaves_the_registry_of_pillow_alone() -> None:
    """HEIC works without registering a plugin for everybody in the process."""
    assert "HEIF" not in Image.OPEN
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(io.BytesIO(FORMATS["HEIF"]))
