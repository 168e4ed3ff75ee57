"""Looking at pictures: the list, one picture with its faces and matches, erasing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import MakeSite
from tests.e2e.people import photo
from tests.stack import Stack

PHOTOS = {
    "party.jpg": photo(["Ada", "Ben", "Chloe"], 1),
    "ada at home.jpg": photo(["Ada"], 2),
    "ben and ada.jpg": photo(["Ben", "Ada"], 3),
    "dev.jpg": photo(["Dev"], 4),
    "landscape.jpg": photo([], 5),
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site()
    made.wait_ended([made.scan(body, name) for name, body in PHOTOS.items()])
    return made


def hash_of(site: Stack, name: str) -> str:
    found = site.session.get(f"{site.url}/images", params={"name": name}, timeout=30).json()["results"]
    return str(found[0]["hash"])


def look_at(page: Page, site: Stack, name: str) -> None:
    page.goto(f"{site.url}/#/image/{hash_of(site, name)}")
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def test_the_list_shows_newest_first_and_filters(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/images")
    expect(page.locator(".tile")).to_have_count(5)
    expect(page.locator("[data-count]")).to_have_text("5 pictures")
    expect(page.locator(".tile img")).to_have_count(5)
    assert page.locator(".tile img").first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320

    page.get_by_label("Name begins with").fill("ben")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_label("Name begins with").fill("")
    page.get_by_label("State").select_option("failed")
    expect(page.get_by_text("There are no pictures in state failed.")).to_be_visible()


def test_what_a_filter_leaves_out_is_not_said_to_be_missing(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/images")
    expect(page.locator(".tile")).to_have_count(5)
    page.get_by_label("Name begins with").fill("home")
    page.get_by_role("button", name="Show", exact=True).click()

    expect(page.get_by_text("There are no pictures with a name that begins with “home”.")).to_be_visible()
    expect(page.get_by_text("A name begins with its folder")).to_be_visible()
    expect(page.get_by_role("link", name="Add some")).to_be_hidden()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".tile")).to_have_count(5)
    expect(page.get_by_label("Name begins with")).to_have_value("")


def test_what_is_said_again_is_shown_once(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/images")
    expect(page.locator(".tile")).to_have_count(5)
    page.route("**/images?*", lambda route: route.abort())
    for _ in range(3):
        with page.expect_event("requestfailed"):
            page.get_by_role("button", name="Show", exact=True).click()

    expect(page.locator(".toast")).to_have_text(["The service cannot be reached."])


@pytest.mark.parametrize("by", ["button", "itself"])
def test_pictures_that_could_not_be_had_come_later(page: Page, site: Stack, by: str) -> None:
    page.route("**/images?*", lambda route: route.abort())
    # The stream of changes says "ready" when it begins, on a busy machine just when the button is about to be clicked.
    page.route("**/events", lambda _route: None)
    page.goto(f"{site.url}/#/images")
    more = page.get_by_role("button", name="Show more")
    expect(more).to_be_visible()
    expect(page.locator(".toast")).to_have_text(["The service cannot be reached."])

    page.unroute("**/images?*")
    if by == "button":
        more.click()
    else:
        page.evaluate("import('/static/js/live.js').then(({live}) => live.dispatchEvent(new CustomEvent('ready')))")
    expect(page.locator(".tile")).to_have_count(5)
    expect(more).to_be_hidden()


def test_a_picture_with_its_faces_and_whom_they_match(page: Page, site: Stack) -> None:
    look_at(page, site, "party.jpg")

    expect(page.get_by_role("heading", name="3 faces")).to_be_visible()
    assert page.locator(".frame > img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 900
    rows = page.locator(".face-row")
    expect(rows.nth(0)).to_contain_text("ada at home.jpg")
    expect(rows.nth(0)).to_contain_text("ben and ada.jpg")
    expect(rows.nth(0).locator(".match").first).to_contain_text(re.compile(r"distance 0\.\d\d"))
    expect(rows.nth(2)).to_contain_text("In no other picture.")
    page.locator(".match", has_text="ada at home.jpg").click()
    expect(page.get_by_role("heading", name="ada at home.jpg")).to_be_visible()


def test_boxes_lie_on_the_faces(page: Page, site: Stack) -> None:
    look_at(page, site, "party.jpg")
    expect(page.locator(".box")).to_have_count(3)
    document = site.image(hash_of(site, "party.jpg"))
    frame = page.locator(".frame").bounding_box()
    assert frame
    for number, face in enumerate(document["faces"]):
        seen = page.locator(".box").nth(number).bounding_box()
        assert seen
        scale = frame["width"] / document["width"]
        assert seen["x"] - frame["x"] == pytest.approx(face["box"]["left"] * scale, abs=2)
        assert seen["y"] - frame["y"] == pytest.approx(face["box"]["top"] * scale, abs=2)
        assert seen["width"] == pytest.approx((face["box"]["right"] - face["box"]["left"]) * scale, abs=2)


def test_a_face_lights_up_with_its_row_by_mouse_and_by_keyboard(page: Page, site: Stack) -> None:
    look_at(page, site, "party.jpg")
    page.locator(".box").nth(1).hover()
    expect(page.locator(".face-row").nth(1)).to_have_class(re.compile("lit"))
    page.get_by_role("button", name="Face 3", exact=True).focus()
    expect(page.locator(".face-row").nth(2)).to_have_class(re.compile("lit"))
    expect(page.locator(".box").nth(2)).to_have_class(re.compile("lit"))
    page.locator(".face-row").nth(0).locator("a").first.focus()
    expect(page.locator(".box").nth(0)).to_have_class(re.compile("lit"))


def test_a_picture_without_faces_says_so(page: Page, site: Stack) -> None:
    look_at(page, site, "landscape.jpg")
    expect(page.get_by_role("heading", name="No faces")).to_be_visible()
    expect(page.locator(".box")).to_have_count(0)


def test_erasing_asks_first_and_gives_a_receipt(page: Page, site: Stack) -> None:
    body = photo(["Ada"], 77)
    image_hash = site.scan(body, "to be erased.jpg")
    site.wait_ended([image_hash])
    look_at(page, site, "to be erased.jpg")

    page.get_by_role("button", name="Erase…").click()
    expect(page.get_by_role("dialog")).to_contain_text("cannot be undone")
    page.get_by_role("button", name="Cancel").click()
    assert site.image(image_hash)["state"] == "done"

    page.get_by_role("button", name="Erase…").click()
    page.get_by_role("button", name="Erase it").click()
    receipt = page.get_by_role("dialog", name="Erased")
    expect(receipt).to_contain_text("to be erased.jpg")
    expect(receipt).to_contain_text("Stored pictures")
    with page.expect_download() as download:
        receipt.get_by_role("link", name="Save the receipt").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert (saved["hash"], saved["pictures"]["removed"]) == (image_hash, 5)
    receipt.get_by_role("button", name="Close").click()
    expect(page.get_by_role("heading", name="Pictures")).to_be_visible()
    assert site.session.get(f"{site.url}/images/{image_hash}", timeout=30).status_code == 404


def test_an_unfinished_picture_appears_when_it_is_done(page: Page, make_site: MakeSite) -> None:
    site = make_site(workers=0)
    page.goto(f"{site.url}/#/image/{site.scan(photo(['Ada'], 8), 'later.jpg')}")
    expect(page.get_by_text("It is not finished yet.")).to_be_visible()

    site.start_worker()

    expect(page.get_by_role("heading", name="1 face")).to_be_visible()
