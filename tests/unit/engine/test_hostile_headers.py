"""What would cost more than a header may is refused, at a small cost, and reaches no decoder."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facerec.engine.headers import probe
from facerec.engine.options import EngineOptions
from facerec.engine.pictures import decode
from facerec.errors import TooLarge, UnreadableImage
from tests.pictures import ROOT
from tests.unit.engine.hostile import (
    SIZES,
    chunk,
    heif,
    hostile,
    png,
    sound,
    tiff,
    webp,
)
from tests.unit.engine.scenes import every_format, saved

MAX = 100_000_000
SMALL = 400_000
"""Bytes of a hostile picture: more parts than are allowed."""
HOSTILE = hostile(SMALL)


def told(image: bytes) -> tuple[int, int, int]:
    header = probe(image, MAX)
    return header.width, header.height, header.orientation


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
        "PNG of empty pixels": "more than 30000 chunks of pixels",
        "PNG of a text that unpacks to much": "the picture has a text of more than 1048576 bytes",
        "JPEG of EXIF segments": "more than 250 segments of EXIF",
        "PNG of profiles": "more than 250 packed chunks",
        "PNG of texts that unpack to much": "more than 8 texts",
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
    """CPU time in seconds and peak memory in bytes of a process that probes a picture."""
    path = folder / "picture"
    path.write_bytes(image)
    command = [sys.executable, "-c", PROBING, str(path)]
    cpu, peak = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return cpu, peak


def costs_beside(image: bytes, other: bytes, folder: Path) -> list[tuple[float, int]]:
    """What each costs, the less of up to six runs in turn: the same work takes twice the CPU time on a core that is shared."""
    costs = [cost(image, folder), cost(other, folder)]
    for _ in range(5):
        if costs[0][0] < 1.5 * costs[1][0]:
            break
        again = cost(image, folder), cost(other, folder)
        costs = [(min(one[0], two[0]), max(one[1], two[1])) for one, two in zip(costs, again, strict=True)]
    return costs


def long(size: int, kind: str) -> dict[str, bytes]:
    """Pictures that are taken, with as much metadata as may be."""
    jpeg = every_format()["JPEG"]
    exif = b"".join(b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527) for _ in range(size >> 16))
    return {
        "PNG": {"XMP": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"tiff:Orientation" * (size // 16)))},
        "JPEG": {"EXIF": jpeg[:2] + exif + jpeg[2:]},
        "WEBP": {"XMP": webp(b"XMP " + struct.pack("<I", size) + b"tiff:Orientation" * (size // 16))},
    }.get(kind, {})


@pytest.mark.parametrize("kind", every_format())
def test_a_hostile_header_costs_no_more_than_a_sound_one(kind: str, tmp_path: Path) -> None:
    """A process that starts, reads the file and looks at it; both pictures have as many bytes."""
    size = 14 << 20
    pictures = hostile(size, kind) | long(size, kind)
    for name, image in pictures.items():
        (its_cpu, its_memory), (cpu, memory) = costs_beside(image, sound(size)[kind], tmp_path)
        assert its_cpu < 2 * cpu, name
        assert its_memory < memory + max(0, len(image) - size) + 1.5 * size, name
