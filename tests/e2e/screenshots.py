"""``python -m tests.e2e.screenshots``: takes the pictures of the page in docs/screenshots, of drawn people and the fake engine."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

from benchmarks.common import private_servers
from facerec.engine.fake import MARK
from tests.client import wait_until
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.stack import ROOT, Stack

FOLDER = ROOT / "docs" / "screenshots"
CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]
PEOPLE = {
    "Ada": "#d9825b",
    "Ben": "#5b8bd9",
    "Cem": "#69a86b",
    "Dora": "#a86baf",
    "Elif": "#c9a13b",
    "Somebody": "#8f8f8f",
}
KNOWN = ("Ada", "Ben", "Cem", "Dora", "Elif")
NAMED = ("Ada", "Cem")


def drawn(people: list[str], chance: random.Random) -> bytes:
    """A drawing with a round face for each person, and what the fake engine must know of it."""
    picture = Image.new("RGB", (640, 480), chance.choice(["#dfe8ef", "#efe9df", "#e3efdf"]))
    pen = ImageDraw.Draw(picture)
    faces = []
    size, between = 150, 50
    first = (640 - len(people) * (size + between) + between) // 2
    for place, person in enumerate(people):
        left, top = first + (size + between) * place, 120 + chance.randrange(60)
        pen.ellipse((left, top, left + size, top + size), fill=PEOPLE[person])
        for eye in (0.32, 0.62):
            pen.ellipse((left + eye * size, top + 50, left + eye * size + 14, top + 64), fill="#222222")
        pen.arc((left + 40, top + 60, left + 110, top + 120), 20, 160, fill="#222222", width=5)
        distance = round(chance.uniform(0, 0.4), 2)
        faces.append({"person": person, "distance": distance, "box": [top, left + size, top + size, left]})
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue() + MARK + b"FACES:" + json.dumps({"faces": faces}).encode()


def name(stack: Stack, known: str, chance: random.Random) -> bool:
    """Give the group of this person its name; whether there is a group already."""
    answer = stack.session.post(f"{stack.url}/identify", files={"file": drawn([known], chance)}, timeout=30).json()
    persons = [candidate["person"] for candidate in answer["faces"][0]["candidates"] if candidate["person"]]
    if not persons:
        return False
    return stack.session.patch(f"{stack.url}/people/{persons[0]['id']}", json={"name": known}, timeout=30).ok


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    chance = random.Random(4)
    with private_servers() as (redis, rabbit, folder):
        kept = {"ENGINE": "fake", "IMAGE_STORE": f"file://{folder}/images"}
        with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), folder, **kept) as stack:
            pictures = [drawn(chance.sample(KNOWN, chance.randint(1, 3)), chance) for _ in range(18)]
            hashes = [stack.scan(body, f"holiday {n:02}.png") for n, body in enumerate(pictures)]
            stack.wait_ended(hashes)
            for known in NAMED:
                wait_until(lambda known=known: name(stack, known, chance), f"{known} is found", stack.log_tails)  # type: ignore[misc]
            wanted = folder / "who.png"
            wanted.write_bytes(drawn(["Ada", "Somebody"], chance))
            take(stack.url, hashes[-1], wanted)


def take(url: str, image_hash: str, wanted: Path) -> None:
    """The main views, light: one picture is ``image_hash``, the one searched for lies in ``wanted``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1200, "height": 800}, color_scheme="light")
        for name, view in {"add": "#/", "pictures": "#/images", "people": "#/people", "jobs": "#/jobs"}.items():
            page.goto(f"{url}/{view}")
            page.wait_for_load_state("networkidle") if name == "add" else page.wait_for_timeout(1500)
            page.screenshot(path=str(FOLDER / f"{name}.png"))
        page.goto(f"{url}/#/image/{image_hash}")
        page.locator(".face-row .match").first.wait_for()
        page.screenshot(path=str(FOLDER / "image.png"))
        page.goto(f"{url}/#/search")
        page.set_input_files("[data-file]", str(wanted))
        page.locator("article.card").nth(1).wait_for()
        page.screenshot(path=str(FOLDER / "search.png"))
        browser.close()


if __name__ == "__main__":
    main()
