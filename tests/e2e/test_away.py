"""A slow service, and one that is away when a view is opened: the page says so, and goes on when there is an answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from tests.client import wait_until
from tests.e2e.conftest import MakeSite
from tests.e2e.people import photo
from tests.stack import Stack

AWAY = "The service cannot be reached."
READY = "import('/static/js/live.js').then(({live}) => live.dispatchEvent(new CustomEvent('ready')))"
VIEWS = {
    "image/{image}": ("**/images/*", "heading", "1 face"),
    "person/{person}": ("**/people/*", "heading", "Somebody without a name"),
    "people": ("**/people?*", "heading", "Who are they?"),
    "unknown": ("**/faces?*", "checkbox", "Choose this face"),
}


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site()
    made.wait_ended([made.scan(photo(["Ada"], number), f"ada {number}.jpg") for number in (1, 2)])
    wait_until(lambda: bool(first(made, "people")), "the two are a person", made.log_tails)
    return made


def first(site: Stack, what: str) -> dict[str, object]:
    found: list[dict[str, object]] = site.session.get(f"{site.url}/{what}", timeout=30).json()["results"]
    return found[0] if found else {}


def address(site: Stack, view: str) -> str:
    return f"{site.url}/#/" + view.format(image=first(site, "images")["hash"], person=first(site, "people")["id"])


@pytest.mark.parametrize("by", ["button", "itself"])
@pytest.mark.parametrize("view", VIEWS)
def test_what_could_not_be_had_comes_later(page: Page, site: Stack, view: str, by: str) -> None:
    calls, role, name = VIEWS[view]
    page.route(calls, lambda route: route.abort())
    # The stream of changes says "ready" when it begins, on a busy machine just when the button is about to be clicked.
    page.route("**/events", lambda _route: None)
    page.goto(address(site, view))
    expect(page.locator(".loading .error")).to_have_text(AWAY)
    # What is not known yet cannot be changed.
    expect(page.get_by_role("main").get_by_role("button")).to_have_text(["Try again"])
    expect(page.get_by_role("main").get_by_role("textbox")).to_have_count(0)

    page.unroute(calls)
    if by == "button":
        page.get_by_role("button", name="Try again").click()
    else:
        page.evaluate(READY)
    expect(page.get_by_role(role, name=name).first).to_be_visible()  # type: ignore[arg-type]
    expect(page.locator(".loading")).to_have_count(0)
    if by == "button":
        expect(page.get_by_role("heading", level=1)).to_be_focused()


@pytest.mark.parametrize("view", [*VIEWS, "images", "jobs"])
def test_one_who_waits_reads_why(page: Page, site: Stack, view: str) -> None:
    calls = VIEWS[view][0] if view in VIEWS else {"images": "**/images?*", "jobs": "**/status"}[view]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(calls, hold)
    page.goto(address(site, view))
    expect(page.get_by_text("Loading…")).to_be_visible()

    for route in held:
        route.continue_()
    page.unroute(calls)
    expect(page.get_by_text("Loading…")).to_be_hidden()


def test_the_page_begins_when_the_service_is_there(page: Page, site: Stack) -> None:
    page.route("**/session", lambda route: route.abort())
    page.goto(f"{site.url}/#/images")
    expect(page.get_by_role("heading", name="Out of reach")).to_be_visible()

    page.unroute("**/session")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Pictures", exact=True)).to_be_visible()


def test_the_page_begins_by_itself(page: Page, site: Stack) -> None:
    page.route("**/session", lambda route: route.abort())
    page.goto(f"{site.url}/#/images")
    expect(page.get_by_role("heading", name="Out of reach")).to_be_visible()

    page.unroute("**/session")
    expect(page.get_by_role("heading", name="Pictures", exact=True)).to_be_visible()


def test_the_presets_of_a_search_come_later(page: Page, site: Stack) -> None:
    page.route("**/status", lambda route: route.abort())
    page.goto(f"{site.url}/#/search")
    expect(page.locator(".toast").first).to_have_text(AWAY)
    expect(page.get_by_role("radio")).to_have_count(0)

    page.unroute("**/status")
    page.evaluate(READY)
    expect(page.get_by_role("radio")).to_have_count(3)
