"""The PHP client against the real HTTP server and a requester that makes faces up."""

from __future__ import annotations

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from facerec.config import RabbitSettings, RedisSettings
from facerec.engine.headers import probe
from tests import pictures
from tests.contract.nextcloud import judge
from tests.front import API_KEY, picture
from tests.integration.rest.running import running
from tests.stack import Stack


def test_the_php_client_and_a_stub(tmp_path: Path) -> None:
    sent = [picture(90 + number, 90) for number in range(judge.TOGETHER)]
    with running() as server:
        got = judge.run_client(server.url, API_KEY, picture(101, 100), sent, tmp_path)

    judge.check_answers(got, area=10_000)
    judge.check_computed(got, tolerance=0)
    judge.check_together(got)
    encodings = {tuple(answer["document"]["faces"][0]["descriptor"]) for answer in got["detect"]}
    assert len(encodings) == judge.TOGETHER


def test_the_php_client_and_the_whole_service(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    found = {**pictures.archive_pictures(), **pictures.portraits()}
    fitting = [path.read_bytes() for path in found.values() if fits(path.read_bytes())]
    # A bare clone has fewer pictures than the test sends at once.
    with_faces = list(islice(cycle(fitting), judge.TOGETHER))
    key_file = tmp_path / "key"
    key_file.write_text("the key\n")
    with Stack(
        redis_settings, rabbit_settings, tmp_path, FACE_MODEL_API_KEY_FILE=str(key_file), MAXIMUM_AREA=str(AREA)
    ) as stack:
        got = judge.run_client(stack.url, "the key", picture(AREA // 1000 + 1, 1000), with_faces, tmp_path)
        kept = stack.session.get(f"{stack.url}/images", timeout=60).json()
        cut = with_faces[0][: len(with_faces[0]) // 2]
        form = {"file": ("a.jpg", cut)}
        refused = stack.session.post(f"{stack.url}/detect", headers={"x-api-key": "the key"}, files=form, timeout=60)
        boxes = {sides: _computed(stack, with_faces[0], *sides) for sides in BOXES}
        scanned = stack.scan(cut, "a.jpg")
        stack.wait_ended([scanned])
        failed = stack.image(scanned)

    judge.check_answers(got, area=AREA)
    judge.check_computed(got, tolerance=1e-5)
    judge.check_together(got)
    assert (refused.status_code, refused.json()["code"]) == (422, "UNREADABLE_IMAGE")
    assert (failed["state"], failed["reason"]) == ("failed", "UNREADABLE_IMAGE")
    assert kept == {"results": [], "next_page": None}
    assert {
        sides: (status, answer.get("reason", "").split(": ")[-1][:19]) for sides, (status, answer) in boxes.items()
    } == BOXES


BOXES = {
    (0, 0, 0, 0): (400, "the box is empty"),
    (200, 200, 100, 100): (400, "the box is empty"),
    (-200, -200, -100, -100): (400, "the box lies outsid"),
    (-50, -50, 100, 100): (200, ""),
}
"""Left, top, right, bottom, and what comes of it."""


def _computed(stack: Stack, picture: bytes, *sides: int) -> tuple[int, dict[str, Any]]:
    face = json.dumps(dict(zip(("left", "top", "right", "bottom"), sides, strict=True)))
    form = {"file": ("a.jpg", picture)}
    answer = stack.session.post(
        f"{stack.url}/compute", headers={"x-api-key": "the key"}, files=form, data={"face": face}, timeout=60
    )
    return answer.status_code, answer.json()


AREA = 3_000_000


def fits(image: bytes) -> bool:
    header = probe(image, 100_000_000)
    return header.width * header.height <= AREA
