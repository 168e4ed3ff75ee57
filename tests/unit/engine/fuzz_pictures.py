"""Feeds damaged pictures of one format to the decoder; run as a process of its own, so that a crash is seen as one.

``python -m tests.unit.engine.fuzz_pictures FORMAT CASES`` prints a JSON line: the number of cases, what came of them and
by how many KiB the process grew when it read them again. Anything but a typed error ends it with a traceback.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from facerec.engine.headers import probe
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import InputError
from tests.unit.engine.scenes import every_format, saved, scene

OPTIONS = EngineOptions(max_pixels=1_000_000, detect_max_area=500)
Damage = tuple[str, int, bytes]


def seeds(kind: str) -> list[bytes]:
    """Sound pictures of the format in its variants."""
    grey16 = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 16)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    variants = {
        "JPEG": [
            saved(scene(), "JPEG", progressive=True, exif=exif),
            saved(scene().convert("CMYK"), "JPEG"),
            saved(scene(), "MPO", save_all=True, append_images=[scene()]),
        ],
        "PNG": [
            saved(scene().quantize(16), "PNG"),
            saved(grey16, "PNG"),
            saved(scene().convert("RGBA"), "PNG", exif=exif),
        ],
        "GIF": [saved(scene().quantize(4), "GIF", save_all=True, append_images=[scene().quantize(4)], transparency=1)],
        "WEBP": [saved(scene(), "WEBP", exif=exif), saved(scene(), "WEBP", save_all=True, append_images=[scene()])],
        "BMP": [saved(scene().quantize(16), "BMP"), saved(scene().convert("1"), "BMP")],
        "TIFF": [
            saved(scene(), "TIFF"),
            saved(grey16, "TIFF"),
            saved(scene(), "TIFF", compression="tiff_adobe_deflate", exif=exif),
            saved(scene(), "TIFF", compression="jpeg"),
        ],
        "HEIF": [saved(scene().convert("RGBA"), "HEIF", exif=exif.tobytes())],
    }
    return [every_format()[kind], *variants[kind]]


def damaged(image: bytes, damages: list[Damage]) -> bytes:
    """The picture after each damage: bytes overwritten, put in, cut out, or everything behind cut off.

    Positions are in thousandths of the length, or, when negative, in bytes from the start, where the headers are.
    """
    broken = bytearray(image)
    for what, where, content in damages:
        at = min(-where, len(broken)) if where < 0 else where * len(broken) // 1000
        if what == "overwrite":
            broken[at : at + len(content)] = content
        elif what == "insert":
            broken[at:at] = content
        elif what == "remove":
            del broken[at : at + 4 * len(content)]
        else:
            del broken[at:]
    return bytes(broken)


KINDS = ("overwrite", "overwrite", "overwrite", "insert", "remove", "cut")
EXTREMES = (b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
"""What lengths and offsets are read wrongly from."""


def damages_of(chance: random.Random) -> list[Damage]:
    """One to four damages, a third of them in the first 300 bytes."""
    return [
        (
            chance.choice(KINDS),
            chance.randint(-300, -1) if chance.random() < 1 / 3 else chance.randint(0, 1000),
            chance.choice(EXTREMES) if chance.random() < 1 / 2 else chance.randbytes(chance.randint(1, 8)),
        )
        for _ in range(chance.randint(1, 4))
    ]


def resident() -> int:
    """Memory of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def outcome(broken: bytes) -> str:
    """What becomes of the bytes: read, or the name of a typed error."""
    try:
        header = probe(broken, OPTIONS.max_pixels)
        picture = decode(broken, OPTIONS)
    except InputError as error:
        return type(error).__name__
    size = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
    return "read" if (picture.width, picture.height) == size else "of another size than its header says"


def main(kind: str, cases: int) -> None:
    chance = random.Random(kind)
    sound = seeds(kind)
    fed = [damaged(chance.choice(sound), damages_of(chance)) for _ in range(cases)]
    outcomes = Counter(map(outcome, fed))
    print(json.dumps({"cases": len(fed), "different": len(set(fed)), **outcomes, "growth_kib": growth(fed)}))  # noqa: T201


def growth(fed: list[bytes]) -> int:
    """KiB by which the process grows when all of them are read twice more."""
    sizes = []
    for _ in range(3):
        for broken in fed:
            outcome(broken)
        sizes.append(resident())
    return sizes[-1] - sizes[0]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
