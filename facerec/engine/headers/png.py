"""The header of a PNG: its chunks, without those of the pixels. Behind the pixels there may stand which side is up."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from facerec.engine.headers.bounds import MOST_TEXT, PartCount
from facerec.engine.headers.found import Measures
from facerec.engine.headers.orientation import orientation
from facerec.errors import UnreadableImage

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits, by the type of colour."""
_MOST_PIECES = 30_000
"""Chunks that the pixels are cut into."""
_PACKED = (b"zTXt", b"iTXt", b"iCCP")
"""Chunks that Pillow unpacks, to a megabyte each."""
_MOST_PACKED = 250
_MOST_TEXTS = 8
_DAMAGED = b"no EXIF"
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
    texts, told = {_RAW_EXIF: b"", _XMP: b""}, PartCount("texts on which side is up", _MOST_TEXTS)
    for name, begin, end in chunks:
        if name == b"eXIf":
            exif = image[begin:end]
        for text in texts if name in (b"tEXt", b"zTXt", b"iTXt") else ():
            if image.startswith(text + b"\0", begin, end):
                told.add()
                plain = _plain(name, image, begin + len(text) + 1, end)
                texts[text] = texts[text] if plain is None else plain
    return Measures(width, height, orientation(_raw(texts[_RAW_EXIF]) if exif is None else exif, texts[_XMP]))


def _raw(text: bytes) -> bytes:
    """EXIF as ImageMagick writes it: in hexadecimal digits, behind three lines."""
    if len(text) > MOST_TEXT:
        raise UnreadableImage(f"the picture's EXIF is a text of more than {MOST_TEXT} bytes")
    try:
        return bytes.fromhex("".join(text.decode("latin-1").split("\n")[3:]))
    except ValueError:
        return _DAMAGED


def _chunks(image: bytes) -> Iterator[_Chunk]:
    """The chunks before the pixels, which must be whole; then those behind them as far as they are.

    An animation has none behind its first frame: there the next one begins.
    """
    content, at, with_pixels = memoryview(image), 8, False
    parts, pieces, packed = (
        PartCount("chunks"),
        PartCount("chunks of pixels", _MOST_PIECES),
        PartCount("packed chunks", _MOST_PACKED),
    )
    while at + 8 <= len(image):
        size, name = struct.unpack_from(">I4s", image, at)
        begin, end, is_pixels = at + 8, at + 8 + size, name in (b"IDAT", b"fdAT")
        (pieces if is_pixels else packed if name in _PACKED else parts).add()
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


def _plain(chunk: bytes, image: bytes, begin: int, end: int) -> bytes | None:
    """What stands behind the name; None where it makes no sense. Raises UnreadableImage when it would be too long."""
    if chunk == b"tEXt":
        return image[begin:end]
    if chunk == b"zTXt":
        return _unpacked(image[begin + 1 : end])
    language = image.find(b"\0", begin + 2, end)
    translated = image.find(b"\0", language + 1, end)
    packed, method = image[begin : begin + 2]
    if language < 0 or translated < 0 or (packed and method):
        return None
    body = image[translated + 1 : end]
    return _unpacked(body) if packed else body


def _unpacked(body: bytes) -> bytes | None:
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(body, MOST_TEXT)
    except zlib.error:
        return None
    if unpacking.unconsumed_tail:
        raise UnreadableImage(f"the picture has a text of more than {MOST_TEXT} bytes")
    return plain
