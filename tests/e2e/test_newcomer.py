"""What a newcomer does in the first minutes, with real pictures and the real engine."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Page, expect

from tests import pictures
from tests.client import wait_until
from tests.e2e.conftest import MakeSite
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]
MINUTES = 5 * 60_000


@pytest.fixture(scope="module")
def people() -> dict[str, list[Path]]:
    found = pictures.lfw100()
    if not found:
        pytest.skip("needs the pictures of lfw100; FACEREC_FACES names the folder that holds them")
    return found


@pytest.fixture(scope="module")
def site(make_site: MakeSite, people: dict[str, list[Path]]) -> Stack:
    return make_site(ENGINE="onnx", WORKERS="2")


def groups(site: Stack) -> list[Counter[str]]:
    """Who is in each group, by the folders of the pictures; the largest group first."""
    found = []
    for person in site.session.get(f"{site.url}/people?limit=100", timeout=30).json()["results"]:
        answer = site.session.get(f"{site.url}/people/{person['id']}?limit=500", timeout=30).json()
        images = [site.image(face["image"]) for face in answer["page"]["results"]]
        found.append(Counter(image["names"][0].split("/")[-2] for image in images))
    return found


def settled(site: Stack, wanted: int) -> bool:
    return sum(count >= 9 for group in groups(site) for count in group.values()) >= wanted


def new_picture(path: Path) -> bytes:
    """Another picture of the same person: mirrored, a little closer, compressed anew."""
    with Image.open(path) as opened:
        width, height = opened.size
        nearer = ImageOps.mirror(opened).crop((width // 16, height // 16, width * 15 // 16, height * 15 // 16))
    out = io.BytesIO()
    nearer.resize((400, 400)).save(out, "JPEG", quality=80)
    return out.getvalue()


def test_a_newcomer(page: Page, site: Stack, people: dict[str, list[Path]], files: Write) -> None:
    page.goto(site.url)
    folder = next(iter(people.values()))[0].parents[1]
    page.set_input_files("[data-folder]", str(folder))

    # 100 done, and a broken file shows its reason.
    expect(page.locator("[data-headline]")).to_have_text("100 of 100 pictures done", timeout=MINUTES)
    page.set_input_files("[data-files]", files({"broken.jpg": people_bytes(people)[:3000]}))
    expect(page.locator(".upload.failed")).to_contain_text("The picture is damaged.")

    # Ten people, at least nine right pictures each, nobody mixed with somebody else.
    page.get_by_role("link", name="People", exact=True).click()
    wait_until(lambda: settled(site, len(people)), "the groups are complete", lambda: str(groups(site)), 120)
    found = groups(site)
    assert all(len(group) == 1 for group in found), found
    assert sorted(name for group in found for name, count in group.items() if count >= 9) == sorted(people)
    expect(page.locator("[data-unnamed] .person")).to_have_count(len(found))

    # Name one.
    page.locator(".naming input").first.fill("Somebody")
    page.keyboard.press("Enter")
    expect(page.locator("[data-named] .person")).to_contain_text(["Somebody"])

    # Merge two, and undo.
    for pick in page.locator("[data-unnamed] .pick").all()[:2]:
        pick.check()
    page.get_by_role("button", name="Merge").click()
    expect(page.locator("[data-unnamed] .person")).to_have_count(len(found) - 2)
    page.get_by_role("button", name="Undo the merge").click()
    expect(page.locator("[data-unnamed] .person")).to_have_count(len(found) - 1)

    # Split, and undo.
    page.get_by_role("link", name="Somebody", exact=True).last.click()
    expect(page.locator("[data-count]")).to_have_text(re.compile(r"\d+ faces"))
    before = page.locator("[data-faces] .person").count()
    page.locator("[data-faces] .pick").nth(0).check()
    page.locator("[data-faces] .pick").nth(1).check()
    page.get_by_role("button", name="Split off as a new person").click()
    expect(page.locator("[data-faces] .person")).to_have_count(before - 2)
    page.get_by_role("button", name="Undo the split").click()
    expect(page.locator("[data-faces] .person")).to_have_count(before)

    identify(page, site, people, files)
    erase(page)


def people_bytes(people: dict[str, list[Path]]) -> bytes:
    return next(iter(people.values()))[0].read_bytes()


def identify(page: Page, site: Stack, people: dict[str, list[Path]], files: Write) -> None:
    """With a new picture of somebody known, and with a stranger."""
    name, paths = next(iter(people.items()))
    page.get_by_role("link", name="Search", exact=True).click()
    page.set_input_files("[data-file]", files({"new.jpg": new_picture(paths[3])}))
    expect(page.locator("article.card").first).to_contain_text(paths[3].name)
    matched = page.locator("article.card").first.locator(".match .name").all_inner_texts()
    assert len(matched) == 5
    assert {text for text in matched if text != "Somebody"} <= {path.name for path in paths}, name

    strangers = [path for path in pictures.portraits().values() if "obama" not in path.name]
    page.get_by_role("radio", name="strict").check()
    page.set_input_files("[data-file]", str(strangers[0]))
    expect(page.locator("article.card").first).to_contain_text("unknown")


def erase(page: Page) -> None:
    page.get_by_role("link", name="Pictures", exact=True).click()
    page.locator(".tile:not(:has(.badge)) a").first.click()
    page.get_by_role("button", name="Erase…").click()
    page.get_by_role("button", name="Erase it").click()
    expect(page.get_by_role("dialog", name="Erased")).to_contain_text("Stored pictures")
    page.get_by_role("button", name="Close").click()
    # 99 that are done, and the broken one.
    expect(page.locator("[data-count]")).to_have_text("100 pictures")
