"""The header parsers tell what the decoders tell, and refuse what would cost more than a header may."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import BmpImagePlugin, Image, PngImagePlugin, TiffImagePlugin

from facerec.engine.headers import format_of, probe
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import TooLarge, UnreadableImage
from tests.pictures import ROOT
from tests.unit.engine.hostile import SIZES, after_the_palette, chunk, exif_of, heif, hostile, png, sound, tiff, webp
from tests.unit.engine.scenes import every_format, saved, scene

MAX = 100_000_000
SMALL = 400_000
"""Bytes of a hostile picture: more parts than are allowed."""
HOSTILE = hostile(SMALL)
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def with_text(name: str, text: str, *, packed: bool, international: bool = False) -> bytes:
    texts = PngImagePlugin.PngInfo()
    if international:
        texts.add_itxt(name, text, zip=packed)
    else:
        texts.add_text(name, text, zip=packed)
    return saved(scene(), "PNG", pnginfo=texts)


def raw_profile(orientation: int) -> str:
    """As ImageMagick writes EXIF into a PNG."""
    data = exif_of(orientation).tobytes()
    return f"\nexif\n{len(data):8}\n{data.hex()}\n"


def behind_the_pixels(*chunks: bytes) -> bytes:
    image = every_format()["PNG"]
    end = len(image) - 12
    return image[:end] + b"".join(chunks) + image[end:]


def turned(orientation: int) -> Iterator[tuple[str, bytes]]:
    """The scene with that orientation, in every way to say it."""
    exif, xmp = exif_of(orientation), XMP % orientation
    bare = exif.tobytes().removeprefix(b"Exif\0\0")
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        yield f"{kind} with EXIF", saved(scene(), kind, exif=exif)
        yield (
            f"{kind} with XMP",
            saved(scene(), kind, xmp=xmp)
            if kind != "PNG"
            else with_text("XML:com.adobe.xmp", xmp.decode(), packed=False, international=True),
        )
        yield f"{kind} with both", saved(scene(), kind, exif=exif_of(3), **({} if kind == "PNG" else {"xmp": xmp}))
    yield "HEIF", saved(scene(), "HEIF", exif=exif.tobytes())
    yield (
        "big-endian EXIF",
        saved(scene(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0%c\0\0" % orientation),
    )
    yield "EXIF of long numbers", saved(scene(), "JPEG", exif=b"Exif\0\0" + tiff((274, 4, 1, orientation)))
    yield "EXIF of bytes", saved(scene(), "JPEG", exif=b"Exif\0\0" + tiff((274, 1, 1, orientation)))
    yield "EXIF with two names", saved(scene(), "JPEG", exif=b"Exif\0\0Exif\0\0" + bare)
    yield "EXIF said twice", saved(scene(), "JPEG", exif=b"Exif\0\0" + tiff((274, 3, 1, orientation), (274, 3, 1, 2)))
    yield "raw profile", with_text("Raw profile type exif", raw_profile(orientation), packed=False)
    yield "packed raw profile", with_text("Raw profile type exif", raw_profile(orientation), packed=True)
    yield "raw profile that is none", with_text("Raw profile type exif", "\nexif\n2\nxyz", packed=True)
    yield "XMP that is packed otherwise", png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\1\0\0" + xmp))
    yield "packed XMP that is damaged", png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + xmp))
    yield "packed XMP", with_text("XML:com.adobe.xmp", xmp.decode(), packed=True, international=True)
    yield "EXIF behind the pixels", behind_the_pixels(chunk(b"eXIf", bare))
    yield "EXIF on both sides", behind_the_pixels(chunk(b"eXIf", bare), chunk(b"eXIf", tiff((274, 3, 1, 8))))
    yield "XMP behind the pixels", behind_the_pixels(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    yield (
        "raw profile behind the pixels",
        behind_the_pixels(chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(orientation).encode())),
    )
    yield "lossless WebP", saved(scene(), "WEBP", lossless=True, exif=exif)
    yield "moving WebP", saved(scene(), "WEBP", save_all=True, append_images=[scene().rotate(180)], exif=exif)


def variants() -> dict[str, bytes]:
    out = io.BytesIO()
    Image.new("RGB", (37, 21)).save(out, "TIFF", big_tiff=True)
    bmp = every_format()["BMP"]
    core = b"BM" + bytes(8) + (26).to_bytes(4, "little") + b"\x0c\0\0\0\x03\0\x02\0\1\0\x18\0" + bytes(24)
    upside = bmp[:22] + (-48).to_bytes(4, "little", signed=True) + bmp[26:]
    gif = every_format()["GIF"]
    frame = after_the_palette(gif)
    small_screen = gif[:6] + b"\x05\0\x04\0" + gif[10:]
    return every_format() | {
        "progressive JPEG": saved(scene(), "JPEG", progressive=True),
        "CMYK JPEG": saved(scene().convert("CMYK"), "JPEG"),
        "grey JPEG": saved(scene().convert("L"), "JPEG"),
        "MPO": saved(scene(), "MPO", save_all=True, append_images=[scene().rotate(90)]),
        "JPEG with a large profile": saved(scene(), "JPEG", icc_profile=bytes(200_000), comment=b"c" * 60_000),
        "JPEG with padding": saved(scene(), "JPEG").replace(b"\xff\xdb", b"\xff\xff\xff\0\0\xff\xdb", 1),
        "moving PNG": saved(scene(), "PNG", save_all=True, append_images=[scene().rotate(180)]),
        "PNG with a palette": saved(scene().quantize(16), "PNG"),
        "moving GIF": saved(scene(), "GIF", save_all=True, append_images=[scene().rotate(180)], comment=b"c" * 1000),
        "GIF whose frame is larger than its screen": small_screen,
        "GIF with XMP": gif[:frame]
        + b"!\xff\x0bXMP DataXMP"
        + XMP % 6
        + b"\1"
        + bytes(range(255, -1, -1))
        + b"\0"
        + gif[frame:],
        "lossy WebP": saved(scene(), "WEBP"),
        "WebP with transparency": saved(scene().convert("RGBA"), "WEBP"),
        "BigTIFF": out.getvalue(),
        "TIFF with EXIF": saved(scene(), "TIFF", exif=exif_of(6), tiffinfo={270: "description" * 100}),
        "BMP upside down": upside,
        "old BMP": core,
        "BMP of 256 colours": saved(scene().quantize(256), "BMP"),
        "HEIF of odd size": saved(scene().resize((61, 43)), "HEIF"),
        "HEIF of odd size, turned": saved(scene().resize((61, 43)), "HEIF", exif=exif_of(6).tobytes()),
        "HEIF with transparency": saved(scene().convert("RGBA"), "HEIF"),
    }


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
        with suppress(ValueError):  # of a text that is no EXIF
            found = 1 if name == "TIFF" else opened.getexif().get(0x0112, 1)
    return width, height, found if isinstance(found, int) and 1 <= found <= 8 else 1


def told(image: bytes) -> tuple[int, int, int]:
    header = probe(image, MAX)
    return header.width, header.height, header.orientation


@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_is_that_of_pillow(orientation: int) -> None:
    found = {name: (told(image), by_pillow(image)) for name, image in turned(orientation)}
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


@pytest.mark.parametrize("name", [*every_format(), *variants()])
def test_a_header_that_is_cut_off_is_unreadable(name: str) -> None:
    """Or all of it is there, which the decoder then says."""
    image = variants()[name]
    for size in [*range(12, min(len(image), 1500)), len(image) - 1]:
        try:
            header = probe(image[:size], MAX)
        except UnreadableImage:
            continue
        assert (header.width, header.height) == told(image)[:2]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_header_that_is_no_header_reaches_no_decoder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facerec.engine.pictures._READERS", {})
    kind = TooLarge if name.startswith("BMP") else UnreadableImage
    with pytest.raises(kind) as by_front_end:
        probe(HOSTILE[name], MAX)
    with pytest.raises(kind) as by_worker:
        decode(HOSTILE[name], EngineOptions(max_pixels=MAX))
    assert by_front_end.value.reason == by_worker.value.reason


def test_the_reason_says_what_there_is_too_much_of() -> None:
    for name, reason in {
        "JPEG of empty segments": "more than 10000 segments",
        "JPEG of junk": "more than 262144 bytes between segments",
        "PNG of texts": "more than 10000 chunks",
        "PNG of empty pixels": "more than 100000 chunks of pixels",
        "PNG of a text that unpacks to much": "the picture has a text of more than 1048576 bytes",
        "JPEG of EXIF segments": "more than 250 segments of EXIF",
        "PNG of profiles": "more than 250 packed chunks",
        "PNG of texts that unpack to much": "more than 16 texts",
        "TIFF of strips": "more than 250000 numbers",
        "HEIF of associations": "more than 10000 boxes",
    }.items():
        with pytest.raises(UnreadableImage, match=reason):
            probe(HOSTILE[name], MAX)


def test_loops_and_lies_end() -> None:
    loop = bytearray(tiff(*SIZES))
    loop[-4:] = (8).to_bytes(4, "little")
    assert told(bytes(loop)) == (8, 8, 1)
    for lie in (
        b"II*\0" + (8).to_bytes(4, "little") + b"\xff\xff",
        b"II+\0\x08\0\0\0" + b"\xff" * 16,
        png()[:33] + b"\xff\xff\xff\xffeXIf" + png()[33:],
        every_format()["JPEG"][:2] + b"\xff\xe1\0\0" * 3,
        heif(b"\0\0\0\1meta" + b"\xff" * 8),
        heif(b"\0\0\0\0iinf\0"),
        webp()[:29],
        b"GIF89a" + b"\xff" * 20,
        b"BM" + b"\xff" * 60,
    ):
        with pytest.raises(UnreadableImage):
            probe(lie, MAX)


def test_what_a_photo_may_hold_is_far_below_the_limits() -> None:
    """A depth map of 10 MB beside the photo, pixels in pieces of 8 KB, a TIFF with one strip for each row."""
    jpeg, wide = every_format()["JPEG"], Image.fromarray(np.zeros((9000, 40), np.uint8))
    segments = b"".join(b"\xff\xe1\xff\xff" + bytes(65_533) for _ in range(160))
    assert told(jpeg[:2] + segments + jpeg[2:]) == (64, 48, 1)
    assert told(png(chunk(b"IDAT", bytes(8192)) * 2000)) == (8, 8, 1)
    assert told(saved(wide, "TIFF", tiffinfo={278: 1})) == (40, 9000, 1)


PROBING = """
import json, resource, sys, facerec.engine.headers as headers, facerec.errors as errors
image = open(sys.argv[1], "rb").read()
try:
    headers.probe(image, 10**8)
except errors.InputError:
    pass
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([used.ru_utime + used.ru_stime, int(peak.split()[1]) * 1024]))
"""


def cost(image: bytes, folder: Path) -> tuple[float, int]:
    """CPU time in seconds (the less of two) and peak memory in bytes of a process that probes a picture."""
    path = folder / "picture"
    path.write_bytes(image)
    command = [sys.executable, "-c", PROBING, str(path)]
    runs = [json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout) for _ in range(2)]
    return min(cpu for cpu, _ in runs), max(peak for _, peak in runs)


@pytest.mark.parametrize("kind", every_format())
def test_a_hostile_header_costs_no_more_than_a_sound_one(kind: str, tmp_path: Path) -> None:
    """A process that starts, reads the file and looks at it; both pictures have as many bytes."""
    size = 14 << 20
    cpu, memory = cost(sound(size)[kind], tmp_path)
    pictures = hostile(size, kind)
    assert pictures
    for name, image in pictures.items():
        its_cpu, its_memory = cost(image, tmp_path)
        assert its_cpu < 1.7 * cpu, name
        assert its_memory < memory + max(0, len(image) - size) + 1.5 * size, name
