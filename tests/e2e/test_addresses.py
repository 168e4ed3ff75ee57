"""Addresses of the page that lead to nothing: it says what is not there, and offers a way on."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import Page, expect

from tests.client import wait_until
from tests.e2e.conftest import MakeSite, as_owner
from tests.e2e.people import photo
from tests.stack import Stack

NO_HASH = "0" * 64


@pytest.fixture(scope="module")
def service(make_site: MakeSite) -> Stack:
    return make_site()


@pytest.fixture
def site(service: Stack, page: Page) -> Stack:
    """The service as an owner has it who has nothing in it."""
    return as_owner(service, secrets.token_hex(8), page)


def person(site: Stack) -> int:
    """A person with two pictures."""
    site.wait_ended([site.scan(photo(["Ada"], number), f"ada {number}.jpg") for number in (1, 2)])

    def found() -> list[dict[str, int]]:
        people: list[dict[str, int]] = site.session.get(f"{site.url}/people", timeout=30).json()["results"]
        return people

    wait_until(lambda: bool(found()), "the two are a person", site.log_tails)
    return found()[0]["id"]


def says(page: Page, words: str, way_on: str) -> None:
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(words)
    expect(page).to_have_title(f"{words} · facerec")
    expect(page.get_by_role("main").get_by_role("link", name=way_on)).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)


@pytest.mark.parametrize("address", ["nonsense", "nonsense/1", "imagesx", "%", "%E0%A4%A", "<b>bold</b>"])
def test_an_address_that_means_nothing(page: Page, site: Stack, address: str) -> None:
    page.goto(f"{site.url}/#/{address}")

    says(page, "There is nothing here", "Add pictures")
    expect(page.locator(".tabs [aria-current]")).to_have_count(0)
    page.get_by_role("main").get_by_role("link", name="Add pictures").click()
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()


@pytest.mark.parametrize("address", [NO_HASH, "abc", "A" * 64, "", f"{NO_HASH}/faces", "%"])
def test_a_picture_that_is_not_there(page: Page, site: Stack, address: str) -> None:
    page.goto(f"{site.url}/#/image/{address}")

    says(page, "There is no such picture", "All pictures")
    page.get_by_role("main").get_by_role("link", name="All pictures").click()
    expect(page.get_by_role("heading", name="Pictures", exact=True)).to_be_visible()


@pytest.mark.parametrize("address", ["0", "4711", "9" * 30, "ada", ""])
def test_a_person_that_is_not_there(page: Page, site: Stack, address: str) -> None:
    page.goto(f"{site.url}/#/person/{address}")

    says(page, "There is no such person", "All people")
    page.get_by_role("main").get_by_role("link", name="All people").click()
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()


def test_what_belongs_to_somebody_else_is_not_there(page: Page, site: Stack, service: Stack) -> None:
    ada = person(site)
    picture = site.session.get(f"{site.url}/images", timeout=30).json()["results"][0]["hash"]
    page.goto(f"{site.url}/#/image/{picture}")
    expect(page.get_by_role("heading", name="1 face")).to_be_visible()
    as_owner(service, "somebody-else", page)

    page.goto(f"{site.url}/#/person/{ada}")
    says(page, "There is no such person", "All people")
    page.goto(f"{site.url}/#/image/{picture}")
    says(page, "There is no such picture", "All pictures")


def test_what_was_erased_is_not_there(page: Page, site: Stack) -> None:
    ada = person(site)
    hashes = [image["hash"] for image in site.session.get(f"{site.url}/images", timeout=30).json()["results"]]
    page.goto(f"{site.url}/#/image/{hashes[0]}")
    expect(page.get_by_role("heading", name="1 face")).to_be_visible()
    for image_hash in hashes:
        assert site.session.delete(f"{site.url}/images/{image_hash}", timeout=30).ok

    # Somebody who looks at it is told as well.
    says(page, "There is no such picture", "All pictures")
    page.goto(f"{site.url}/#/person/{ada}")
    says(page, "There is no such person", "All people")


def test_the_next_address_is_looked_at_afresh(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/#/nonsense")
    says(page, "There is nothing here", "Add pictures")
    page.evaluate("location.hash = '#/image/abc'")
    says(page, "There is no such picture", "All pictures")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.go_back()
    says(page, "There is nothing here", "Add pictures")


def test_a_service_out_of_reach_is_not_said_to_lack_a_picture(page: Page, site: Stack) -> None:
    page.route("**/images/*", lambda route: route.abort())
    page.goto(f"{site.url}/#/image/{NO_HASH}")

    expect(page.locator(".loading .error")).to_have_text("The service cannot be reached.")
    expect(page.get_by_text("There is no such picture")).to_be_hidden()
