"""Damaged pictures through the whole service: each ends as failed with its cause, and the log stays JSON."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
from PIL import Image

from facerec.config import RabbitSettings, RedisSettings
from tests.stack import Stack
from tests.unit.engine.scenes import saved


def photo() -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)


def changed(image: bytes) -> bytes:
    broken = bytearray(image)
    broken[len(image) // 2] ^= 0x10
    return bytes(broken)


def outcome(stack: Stack, name: str, image: bytes) -> tuple[str, str]:
    """Code and reason: the front door sees what the header tells, a worker the rest."""
    answer = stack.session.post(f"{stack.url}/scan/image/{name}", data=image, timeout=60)
    document = answer.json()
    if answer.status_code == 422:
        return document["code"], document["reason"]
    assert answer.status_code == 202, answer.text
    assert stack.wait_ended([document["hash"]]) == {document["hash"]: "failed"}
    found = stack.image(document["hash"])
    return str(found["reason"]), str(found["detail"])


def test_damage_fails_with_its_cause_and_the_log_is_json(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    kinds = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "HEIF")
    files = {kind: saved(photo().quantize(256) if kind == "GIF" else photo(), kind) for kind in kinds}
    cut = {f"cut.{kind}": image[: len(image) // 2] for kind, image in files.items()}
    damaged = cut | {
        "changed.PNG": changed(files["PNG"]),
        "changed.TIFF": changed(saved(photo(), "TIFF", compression="tiff_adobe_deflate")),
    }
    refused = {
        "empty": (b"", "it is empty"),
        "gzip": (gzip.compress(files["PNG"]), "compressed with gzip"),
        "avif": (saved(photo(), "AVIF").replace(b"ftypavif", b"ftypmif1", 1), "coded as AV1"),
    }
    # Of this model an engine process warns that it is not for everybody, past the logging of its worker.
    with Stack(redis_settings, rabbit_settings, tmp_path, MODEL="cnn_68", WORKERS="1") as stack:
        for content, cause in refused.values():
            answer = stack.session.post(f"{stack.url}/scan/image/x", data=content, timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_IMAGE")
            assert cause in answer.json()["reason"]
        whole = {stack.scan(image + b"behind the end", f"whole.{kind}"): kind for kind, image in files.items()}
        found = {name: outcome(stack, name, image) for name, image in damaged.items()}
        states = stack.wait_ended(whole)
    assert {kind: states[image] for image, kind in whole.items()} == dict.fromkeys(kinds, "done")
    assert {name: code for name, (code, _) in found.items()} == dict.fromkeys(damaged, "UNREADABLE_IMAGE")
    causes = {name: cause for name, (_, cause) in found.items()}
    assert "check sum of a chunk IDAT is wrong" in causes["changed.PNG"]
    assert "ZIPDecode: " in causes["changed.TIFF"]
    assert "is cut off: of " in causes["cut.WEBP"]
    lines = [line for log in tmp_path.glob("*.log") for line in log.read_text().splitlines()]
    records = [json.loads(line) for line in lines]
    said = [record["message"] for record in records if record.get("action") == "engine_output"]
    assert any("non-commercial" in line for line in said)
