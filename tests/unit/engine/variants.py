"""Sound pictures in all the ways to say how large they are and which side is up."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache

import pillow_heif
from PIL import Image, PngImagePlugin

from tests.unit.engine.hostile import after_the_palette, chunk, exif_of, png, tiff
from tests.unit.engine.scenes import every_format, saved, scene

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


@cache
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
        "HEIF of tiles": with_more(scene().resize((611, 333)), tile_size=256),
        "HEIF of two pictures": with_more(scene(), scene().resize((100, 70)), primary_index=1),
        "HEIF with transparency": saved(scene().convert("RGBA"), "HEIF"),
    }


def with_more(first: Image.Image, *others: Image.Image, **options: int) -> bytes:
    pictures, out = pillow_heif.from_pillow(first), io.BytesIO()
    for other in others:
        pictures.add_from_pillow(other)
    pictures.save(out, **options)
    return out.getvalue()


def with_property(heif: bytes, content: bytes) -> bytes:
    """A HEIF of one picture that has one more property, the last of all. Its pixels are out of place then."""
    image = bytearray(heif)
    known, ours = image.index(b"ipco"), image.index(b"ipma") + 14
    end = known - 4 + int.from_bytes(image[known - 4 : known], "big")
    at, count = known + 4, 1
    while at < end:
        at, count = at + int.from_bytes(image[at : at + 4], "big"), count + 1
    for kind, more in ((b"meta", len(content) + 1), (b"iprp", len(content) + 1), (b"ipco", len(content)), (b"ipma", 1)):
        place = image.index(kind) - 4
        image[place : place + 4] = (int.from_bytes(image[place : place + 4], "big") + more).to_bytes(4, "big")
    image[ours] += 1
    image[ours + image[ours] : ours + image[ours]] = bytes([0x80 | count])
    image[end:end] = content
    return bytes(image)
