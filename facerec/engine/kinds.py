"""What bytes are that are no picture of a format that is read, for the reason that people see."""

from __future__ import annotations

FORMATS = "JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC"
GZIP = b"\x1f\x8b"
_BEGINNINGS = (
    (GZIP, "is compressed with gzip: send the picture itself"),
    (b"PK\x03\x04", "is a ZIP archive"),
    (b"%PDF", "is a PDF document"),
    (b"%!PS", "is a PostScript document"),
    (b"8BPS", "is a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "is a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "is a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "is a JPEG XL picture"),
    (b"\xff\x0a", "is a JPEG XL picture"),
    (b"\0\0\1\0", "is an icon (ICO)"),
    (b"\x1aE\xdf\xa3", "is a video (Matroska or WebM)"),
    (b"{", "is JSON"),
)
_TEXTS = (
    (b"<svg", "is a drawing (SVG)"),
    (b"<html", "is a web page (HTML)"),
    (b"<!doctype html", "is a web page (HTML)"),
)
_BRANDS = {
    b"avif": "is an AVIF picture",
    b"avis": "is an AVIF animation",
    b"unif": "is an uncompressed HEIF picture",
    b"crx ": "is a raw picture (CR3)",
}


def what_it_is(content: bytes) -> str:
    """The end of a sentence about content that is no picture."""
    if not content:
        return "is empty"
    if content[4:8] == b"ftyp":
        brands = _brands(content)
        known = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        return (
            known[0] if known else f"is a video, or another file of the brand {brands[0].decode('ascii', 'replace')!r}"
        )
    for beginning, what in _BEGINNINGS:
        if content.startswith(beginning):
            return what
    head = content[:1000].lower()
    for mark, what in _TEXTS:
        if mark in head:
            return what
    return "begins like none of them"


def _brands(content: bytes) -> list[bytes]:
    """The brand of an ISO media file, and those that it is compatible with."""
    size = min(int.from_bytes(content[:4], "big"), 200)
    return [content[at : at + 4] for at in (8, *range(16, size, 4))]
