"""Pictures of few bytes that cost much to whoever decodes them, or reads all that they say of themselves."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

MAX = 14 * 1024 * 1024


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(side: int, *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def large_png(side: int = 9_900) -> bytes:
    """As many pixels as are allowed, all black, in a tenth of a megabyte."""
    pixels = zlib.compressobj(9)
    row = bytes(side + 1)
    data = b"".join(pixels.compress(row) for _ in range(side)) + pixels.flush()
    return _png(side, _chunk(b"IDAT", data), _chunk(b"IEND", b""))


def png_of_texts(count: int = 900_000) -> bytes:
    return _png(8, _chunk(b"tEXt", b"a\0") * count, _chunk(b"IDAT", zlib.compress(bytes(72))), _chunk(b"IEND", b""))


def jpeg_of_segments(size: int = MAX) -> bytes:
    plain = io.BytesIO()
    Image.new("L", (8, 8)).save(plain, "JPEG")
    jpeg = plain.getvalue()
    return jpeg[:2] + b"\xff\xe1\x00\x02" * (size // 4) + jpeg[2:]


PICTURES = {"large PNG": large_png(), "PNG of texts": png_of_texts(), "JPEG of segments": jpeg_of_segments()}
"""By what they are."""
