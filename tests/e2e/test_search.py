"""Who is this? A picture that is not stored, presets, and an honest unknown."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.client import wait_until
from tests.e2e.conftest import MakeSite
from tests.e2e.people import photo
from tests.e2e.test_look import PHOTOS
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site()
    made.wait_ended([made.scan(body, name) for name, body in PHOTOS.items()])
    grouped = f"{made.url}/people"
    wait_until(lambda: len(made.session.get(grouped, timeout=30).json()["results"]) == 2, "Ada and Ben are grouped")
    return made


def test_somebody_who_is_known(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Ada"], 99)}))

    card = page.locator("article.card")
    expect(card).to_contain_text("ada at home.jpg")
    expect(card).to_contain_text("ben and ada.jpg")
    expect(card.get_by_role("link", name="somebody without a name")).to_be_visible()
    expect(page.locator(".box")).to_have_count(1)
    expect(page.get_by_text("Compared with 7 known faces.")).to_be_visible()
    assert len(site.session.get(f"{site.url}/images", timeout=30).json()["results"]) == 5, "nothing was stored"


def test_a_stranger_is_unknown(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Zoe", "Dev"], 98)}))

    expect(page.locator("article.card").nth(0)).to_contain_text("Face 1: unknown")
    expect(page.locator("article.card").nth(0)).to_contain_text("Nobody known is within a distance of 0.55.")
    expect(page.locator("article.card").nth(1)).to_contain_text("dev.jpg")


def test_where_no_face_is_nothing_was_compared(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.set_input_files("[data-file]", files({"who.jpg": photo([], 97)}))

    expect(page.get_by_role("heading", name="No face found")).to_be_visible()
    expect(page.get_by_text("Compared with")).to_be_hidden()


def test_presets_say_what_they_mean_and_are_heeded(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    strict = page.get_by_role("radio", name="strict")
    expect(strict).to_be_visible()
    assert "1 stranger in 40,000" in page.locator(".radio", has=strict).inner_text()
    assert page.get_by_role("radio", name="medium").is_checked()
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Zoe"], 97)}))
    strict.check()
    expect(page.locator("article.card")).to_contain_text("within a distance of 0.50")


def test_a_broken_picture_says_so_in_place_of_the_answer_before(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Ada"], 96)}))
    expect(page.locator("[data-stage]")).to_be_visible()
    page.set_input_files("[data-file]", files({"broken.jpg": b"no picture"}))

    expect(page.locator("[data-answer]")).to_contain_text("This is no picture of a known kind.")
    expect(page.locator("[data-stage]")).to_be_hidden()


def test_a_service_that_is_away_is_said_where_the_answer_would_be(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.route("**/identify", lambda route: route.abort())
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Ada"], 95)}))

    expect(page.locator("[data-answer] p")).to_have_text("The service cannot be reached.")
