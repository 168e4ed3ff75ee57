"""The jobs: parts, workers, what is kept, and what was given up."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.client import wait_until
from tests.drawings import drawing
from tests.e2e.conftest import MakeSite
from tests.stack import Stack


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site(IMAGE_RETENTION_DAYS="30")
    made.wait_ended([made.scan(drawing(b"CRASH"), f"bad {n}.png") for n in range(3)])
    made.wait_ended([made.scan(drawing(), "good.png")])
    return made


def test_parts_workers_and_what_is_kept(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/jobs")

    expect(page.locator("[data-parts] .ok")).to_have_count(4)
    expect(page.locator("[data-workers] tbody tr")).to_have_count(1)
    expect(page.locator("[data-kept]")).to_have_text("Pictures are kept for 30 days.")
    expect(page.locator(".figure", has_text="failed").locator("b")).to_have_text("3")
    expect(page.locator(".figure", has_text="done").locator("b")).to_have_text("1")


def test_a_service_that_went_away_is_not_shown_as_well(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/jobs")
    expect(page.locator("[data-parts] .ok")).to_have_count(4)
    expect(page.locator("[data-away]")).to_be_hidden()

    page.route("**/status", lambda route: route.abort())
    expect(page.locator("[data-away]")).to_contain_text("The service cannot be reached. What stands here is from")
    expect(page.locator(".toast")).to_have_count(0)

    page.unroute("**/status")
    expect(page.locator("[data-away]")).to_be_hidden()


def test_dead_letters_are_redriven_and_dropped(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/jobs")
    expect(page.locator(".letter")).to_have_count(3)
    expect(page.locator(".letter").first).to_contain_text("The picture broke the program that looked at it.")

    page.get_by_role("button", name="Try bad 0.png again").click()
    expect(page.locator("#toasts")).to_contain_text("1 job queued again.")
    expect(page.locator(".letter")).to_have_count(2)
    # It fails again, after its tries.
    expect(page.locator(".letter")).to_have_count(3)

    page.get_by_role("button", name="Throw bad 1.png away").click()
    page.get_by_role("button", name="Throw away", exact=True).click()
    expect(page.locator(".letter")).to_have_count(2)
    page.get_by_role("button", name="Throw all away…").click()
    page.get_by_role("button", name="Throw away", exact=True).click()
    expect(page.get_by_text("Nothing was given up.")).to_be_visible()
    wait_until(lambda: site.session.get(f"{site.url}/dead", timeout=30).json()["results"] == [], "all are gone")


def test_a_regeneration_is_watched_and_switched_to(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/jobs")
    expect(page.locator("[data-regenerate-card]")).to_be_hidden()
    assert site.session.post(f"{site.url}/regenerate", json={"model": "cnn"}, timeout=30).ok

    expect(page.locator("[data-regenerate]")).to_contain_text("From hog to cnn: ready. 1 picture of 1.")
    page.get_by_role("button", name="Switch to the new encodings").click()
    page.locator("dialog").get_by_role("button", name="Switch to the new encodings").click()
    expect(page.locator("[data-regenerate]")).to_contain_text("cut over")
    page.get_by_role("button", name="Drop the old encodings").click()
    page.locator("dialog").get_by_role("button", name="Drop the old encodings").click()
    expect(page.locator("[data-regenerate-card]")).to_be_hidden()
