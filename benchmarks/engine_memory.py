"""Does an engine process grow? Size after 2000 mixed pictures against its size after 200.

``python -m benchmarks.engine_memory [--model HOG] [--pictures 2000] [--warm 200]`` prints a table and, last, one JSON line with
``memory_ratio``; the aim is at most 1.02.
"""

from __future__ import annotations

import argparse
import io
import json
import random
from pathlib import Path

from PIL import Image

from facerec.engine import EngineOptions, open_engine
from facerec.faces import Model
from tests import pictures

AIM = 1.02
FORMATS = ("JPEG", "JPEG", "JPEG", "PNG", "WEBP", "TIFF")


def resident() -> int:
    """Memory of this process in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


class Mixture:
    """An endless series of pictures: sizes from a thumbnail to twelve megapixels, zero to four faces, several formats."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._sources = [Image.open(path).convert("RGB") for path in pictures.archive_pictures().values()]

    def next(self) -> bytes:
        source = self._random.choice(self._sources)
        longest = self._random.choice((120, 300, 300, 500, 500, 800, 800, 1200, 2000))
        if self._random.random() < 0.02:
            longest = 4000
        longest = int(longest * self._random.uniform(0.8, 1.0))
        factor = longest / max(source.size)
        picture = source.resize((max(1, int(source.width * factor)), max(1, int(source.height * factor))))
        if self._random.random() < 0.3:
            picture = self._group(picture)
        out = io.BytesIO()
        picture.save(out, "JPEG" if longest > 2000 else self._random.choice(FORMATS))
        return out.getvalue()

    def _group(self, picture: Image.Image) -> Image.Image:
        """The picture four times, half as large."""
        half = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))
        group = Image.new("RGB", picture.size)
        for i in range(4):
            group.paste(half, (half.width * (i % 2), half.height * (i // 2)))
        return group


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=[m.name for m in Model], default="HOG")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--warm", type=int, default=200)
    wanted = parser.parse_args()
    engine = open_engine(Model[wanted.model], EngineOptions(chips=True), pictures.ROOT / ".cache" / "models", "cpu")
    mixture, faces, sizes = Mixture(), 0, {}
    for count in range(1, wanted.pictures + 1):
        faces += len(engine.faces(mixture.next()).faces)
        if count % wanted.warm == 0:
            sizes[count] = resident()
            print(f"{count:6} pictures {faces:6} faces {sizes[count] / 1024:8.1f} MiB", flush=True)
    ratio = sizes[max(sizes)] / sizes[wanted.warm]
    print(json.dumps({"model": wanted.model, "pictures": wanted.pictures, "memory_ratio": round(ratio, 4), "aim": AIM}))


if __name__ == "__main__":
    main()
