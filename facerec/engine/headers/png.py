"""The header of a PNG: its chunks, without those of the pixels. Behind the pixels there may stand which side is up."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from facerec.engine.headers.bounds import MOST_TEXT, Parts
from facerec.engine.headers.found import Measures
from facerec.engine.headers.orientation import orientation
from facerec.errors import UnreadableImage

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits, by the type of colour."""
_MOST_PIECES = 100_000
"""Chunks that the pixels are cut into."""
_RAW_EXIF, _XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"
_Chunk = tuple[bytes, int, int]
"""Name, beginning and end of the content."""


def read_png(image: bytes) -> Measures:
    """Raises UnreadableImage, struct.error, ValueError."""
    chunks = _chunks(image)
    name, begin, end = next(chunks)
    width, height, bits, colour, _, filtering, _ = struct.unpack_from(">IIBBBBB", image, begin)
    if name != b"IHDR" or end - begin < 13 or bits not in _DEPTHS.get(colour, ()) or filtering:
        raise UnreadableImage("the picture has no header that makes sense")
    exif: bytes | None = None
    texts: dict[bytes, bytes] = {}
    for name, begin, end in chunks:
        if name == b"eXIf":
            exif = image[begin:end]
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            texts.update(_text(name, image, begin, end))
    if exif is None:
        exif = bytes.fromhex("".join(texts.get(_RAW_EXIF, b"").decode("latin-1").split("\n")[3:]))
    return Measures(width, height, orientation(exif, texts.get(_XMP, b"")))


def _chunks(image: bytes) -> Iterator[_Chunk]:
    """The chunks before the pixels, which must be whole; then those behind them as far as they are.

    An animation has none behind its first frame: there the next one begins.
    """
    content, at, with_pixels = memoryview(image), 8, False
    parts, pieces = Parts("chunks"), Parts("chunks of pixels", _MOST_PIECES)
    while at + 8 <= len(image):
        size, name = struct.unpack_from(">I4s", image, at)
        begin, end, is_pixels = at + 8, at + 8 + size, name in (b"IDAT", b"fdAT")
        (pieces if is_pixels else parts).add()
        with_pixels = with_pixels or is_pixels
        if name == b"IEND" or (with_pixels and (name == b"fcTL" or end > len(image))):
            break
        if not with_pixels and zlib.crc32(content[at + 4 : end]).to_bytes(4, "big") != content[end : end + 4]:
            raise UnreadableImage("the picture is cut off, or the check sum of a chunk of its header is wrong")
        at = end + 4
        if not is_pixels:
            yield name, begin, end
    if not with_pixels:
        raise UnreadableImage("the picture is cut off, or has no pixels")


def _text(chunk: bytes, image: bytes, begin: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """The text with its name, if it is one of those that say which side is up."""
    for name in (_RAW_EXIF, _XMP):
        if image.startswith(name + b"\0", begin, end):
            text = _plain(chunk, image[begin + len(name) + 1 : end])
            if text is not None:
                yield name, text


def _plain(chunk: bytes, text: bytes) -> bytes | None:
    """Raises ValueError when it would be too long."""
    if chunk == b"tEXt":
        return text
    packed, method = (1, text[0]) if chunk == b"zTXt" else (text[0], text[1])
    body = text[1:] if chunk == b"zTXt" else text[2:].split(b"\0", 2)[2]
    if not packed:
        return body
    if method:
        return None
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(body, MOST_TEXT)
    except zlib.error:
        return None
    if unpacking.unconsumed_tail:
        raise ValueError(f"a text of more than {MOST_TEXT} bytes")
    return plain
