"""Pictures whose headers cost much to whoever believes them, of up to ``size`` bytes, and sound ones of as many bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.unit.engine.scenes import every_format, saved, scene


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes, side: int = 8) -> bytes:
    """A grey picture with these chunks before its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(side * (side + 1))))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def bomb_of_text(name: bytes) -> bytes:
    return chunk(b"zTXt", name + b"\0\0" + zlib.compress(bytes(20 << 20)))


def tiff(*entries: tuple[int, int, int, int], large: bool = False) -> bytes:
    """A TIFF of nothing but a directory with these entries (tag, type, count, value)."""
    if large:
        head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(entries))
        return head + b"".join(struct.pack("<HHQQ", *entry) for entry in entries) + bytes(8)
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def heif(*in_meta: bytes, before: bytes = b"") -> bytes:
    return box(b"ftyp", b"heic\0\0\0\0heicmif1") + before + box(b"meta", bytes(4) + b"".join(in_meta))


def webp(*chunks: bytes) -> bytes:
    body = b"VP8X" + struct.pack("<II", 10, 0x0C) + b"\x3f\0\0\x2f\0\0" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def after_the_palette(gif: bytes) -> int:
    return 13 + (3 << (gif[10] & 7) + 1)


NAME = b"Raw profile type exif"
SIZES = ((256, 3, 1, 8), (257, 3, 1, 8))
"""Entries of a TIFF."""


def hostile(size: int, kind: str = "") -> dict[str, bytes]:
    """By format and what is wrong with them, of one format or of all. Each is refused."""
    sound = every_format()
    jpeg, gif = sound["JPEG"], sound["GIF"]
    tags = tiff(*[(40_000 + number % 1000, 3, 1, 1) for number in range(min(65_000, size // 12))])
    frame = after_the_palette(gif)
    exif_of = (b"\xff\xe1" + struct.pack(">H", 2 + len(part)) + part for part in [b"Exif\0\0" + tags[:60_000]])
    more = (b"\xff\xe1" + struct.pack(">H", 8 + len(tags[60_000 * at : 60_000 * (at + 1)])) for at in range(1, 14))
    rest = (tags[60_000 * at : 60_000 * (at + 1)] for at in range(1, 14))
    many_tags = b"".join(exif_of) + b"".join(head + b"Exif\0\0" + part for head, part in zip(more, rest, strict=True))
    items = box(b"iinf", b"\0\0\0\0\0\0" + box(b"infe", b"\2\0\0\0\0\1\0\0Exif\0") * (size // 21))
    known = box(b"iinf", b"\0\0\0\0\0\1" + box(b"infe", b"\2\0\0\0\0\1\0\0hvc1\0")) + box(b"pitm", b"\0\0\0\0\0\1")
    mapped = box(b"ipma", bytes(4) + b"\xff" * 4 + b"\0\1\0" * (size // 3))
    makers: dict[str, Callable[[], bytes]] = {
        "JPEG of empty segments": lambda: jpeg[:2] + b"\xff\xe1\0\2" * (size // 4) + jpeg[2:],
        "JPEG of padding": lambda: jpeg[:2] + b"\xff" * max(size, 2 << 20) + jpeg[2:],
        "JPEG of junk": lambda: jpeg[:20] + b"\0" * max(size, 2 << 20) + jpeg[20:],
        "JPEG of escaped ff": lambda: jpeg[:2] + b"\xff\0" * (size // 2) + jpeg[2:],
        "JPEG of EXIF segments": lambda: jpeg[:2] + b"\xff\xe1\0\x08Exif\0\0" * (size // 10) + jpeg[2:],
        "JPEG of EXIF tags": lambda: jpeg[:2] + many_tags + jpeg[2:],
        "PNG of texts": lambda: png(chunk(b"tEXt", b"a\0") * (size // 14)),
        "PNG of unknown chunks": lambda: png(chunk(b"prIv", b"") * (size // 12)),
        "PNG of empty pixels": lambda: png(chunk(b"IDAT", b"") * max(size // 12, 30_001)),
        "PNG of texts behind its pixels": lambda: png(chunk(b"IDAT", b""), chunk(b"tEXt", b"a\0") * (size // 14)),
        "PNG of a text that unpacks to much": lambda: png(bomb_of_text(NAME)),
        "PNG of texts that unpack to much": lambda: png(
            chunk(b"zTXt", NAME + b"\0\0" + zlib.compress(bytes(1 << 20))) * 400
        ),
        "PNG of packed texts": lambda: png(chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"\xff" * (1 << 20))) * 300),
        "PNG of profiles": lambda: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 20))) * 300),
        "PNG of lines": lambda: png(chunk(b"tEXt", NAME + b"\0" + b"\n" * max(size, 2 << 20))),
        "PNG of EXIF tags": lambda: png(chunk(b"eXIf", tags)),
        "GIF of small blocks": lambda: gif[:frame] + b"!\xfe" + b"\1a" * (size // 2) + b"\0" + gif[frame:],
        "GIF of comments": lambda: gif[:frame] + b"!\xfe\0" * (size // 3) + gif[frame:],
        "GIF of junk": lambda: gif[:frame] + bytes(size) + gif[frame:],
        "WEBP of chunks": lambda: webp(b"abcd\0\0\0\0" * (size // 8)),
        "WEBP of EXIF tags": lambda: webp(b"EXIF" + struct.pack("<I", len(tags)) + tags),
        "TIFF of tags": lambda: tiff(*SIZES, *[(40_000 + n % 1000, 3, 1, 1) for n in range(min(60_000, size // 12))]),
        "BigTIFF of tags": lambda: tiff(*SIZES, *[(40_000 + n % 1000, 3, 1, 1) for n in range(size // 20)], large=True),
        "TIFF of strips": lambda: tiff(*SIZES, (273, 4, max(size, 3 << 20) // 4, 8)) + bytes(max(size, 3 << 20)),
        "HEIF of boxes": lambda: heif(before=box(b"free", b"") * (size // 8)),
        "HEIF of boxes in its metadata": lambda: heif(box(b"free", b"") * (size // 8)),
        "HEIF of items": lambda: heif(items),
        "HEIF of properties": lambda: heif(known, box(b"iprp", box(b"ipco", box(b"ispe", b"") * (size // 8)))),
        "HEIF of associations": lambda: heif(known, box(b"iprp", box(b"ipco", b"") + mapped)),
        "BMP of 4 000 000 000 pixels a row": lambda: (
            b"BM" + bytes(12) + struct.pack("<IIIHHI", 40, 4 << 30 - 2, 9, 1, 8, 0) + bytes(size)
        ),
    }
    return {name: make() for name, make in makers.items() if kind in name.split()[0].upper()}


def sound(size: int) -> dict[str, bytes]:
    """The scene in each format, with bytes behind its end up to that many."""
    return {kind: image.ljust(size, b"\0") for kind, image in every_format().items()}


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


__all__ = [
    "after_the_palette",
    "box",
    "chunk",
    "exif_of",
    "heif",
    "hostile",
    "png",
    "saved",
    "scene",
    "sound",
    "tiff",
    "webp",
]
