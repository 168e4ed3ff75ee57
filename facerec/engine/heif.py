"""How the pictures in a HEIF file are coded. HEIF is a box: it may hold pictures of codecs that are not read, under any brand."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from facerec.errors import UnsupportedImage

_READ = (b"hvc1", b"hev1")
_OTHERS = {
    b"av01": "AV1 (it is an AVIF picture)",
    b"unci": "not compressed (unci)",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"avc1": "H.264",
    b"vvc1": "H.266",
    b"evc1": "EVC",
}
_MOST = 10_000


def check_codec(heif: bytes) -> None:
    """Raises UnsupportedImage when the file says that its pictures are of a codec that is not read."""
    kinds = list(_item_types(heif))
    if any(kind in _READ for kind in kinds):
        return
    for kind in kinds:
        if kind in _OTHERS:
            raise UnsupportedImage(f"a HEIF file whose picture is coded as {_OTHERS[kind]}; only HEVC is read (HEIC)")


def _item_types(heif: bytes) -> Iterator[bytes]:
    """The types of the items, which are pictures or metadata, as far as the boxes can be read."""
    at = heif.find(b"infe")
    for _ in range(_MOST):
        if at < 0 or at + 16 > len(heif):
            return
        version = heif[at + 4]
        # Box type, version and flags, item id of 2 or 4 bytes, protection index of 2, then the type.
        start = at + (12 if version == 2 else 14)
        yield struct.unpack_from(">4s", heif, start)[0]
        at = heif.find(b"infe", at + 4)
