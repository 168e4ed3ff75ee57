"""For everybody: no accessibility faults, usable by keyboard, on a phone, in light and in dark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.drawings import drawing
from tests.e2e.conftest import MakeSite, give_token
from tests.e2e.people import photo
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]
Go = Callable[[Page, Stack, Write], None]
LONG_NAME = "a/very/long/path/" + "withoutanyspace" * 12 + ".jpg"


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site()
    pictures = {
        "party.jpg": photo(["Ada", "Ben", "Chloe", "Dev"], 1),
        "ada.jpg": photo(["Ada"], 2),
        LONG_NAME: photo(["Ben", "Ada"], 3),
    }
    hashes = [made.scan(body, name) for name, body in pictures.items()]
    hashes.append(made.scan(drawing(b"CRASH"), "given up.png"))
    made.wait_ended(hashes)
    return made


def hash_of(site: Stack, name: str) -> str:
    found = site.session.get(f"{site.url}/images", params={"name": name}, timeout=30).json()["results"]
    return str(found[0]["hash"])


def add_empty(page: Page, site: Stack, files: Write) -> None:
    page.goto(site.url)
    page.get_by_role("button", name="Paste addresses").click()


def add_done(page: Page, site: Stack, files: Write) -> None:
    page.goto(site.url)
    page.set_input_files("[data-files]", files({"good.png": drawing(), "bad.jpg": b"text", LONG_NAME[17:]: drawing()}))
    expect(page.locator("[data-headline]")).to_have_text("2 of 3 pictures done, 1 failed")


def images(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/images")
    expect(page.locator(".tile img").first).to_be_visible()


def image(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/image/{hash_of(site, 'party.jpg')}")
    expect(page.locator(".face-row")).to_have_count(4)


def erase(page: Page, site: Stack, files: Write) -> None:
    image(page, site, files)
    page.get_by_role("button", name="Erase…").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def search(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/search")
    page.set_input_files("[data-file]", files({"who.jpg": photo(["Ada", "Zoe"], 9)}))
    expect(page.locator("article.card")).to_have_count(2)


def people(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/people")
    expect(page.locator("[data-unnamed] .person").first).to_be_visible()
    page.locator("[data-unnamed] .pick").first.check()


def person(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/people")
    page.locator("[data-unnamed] .person > a").first.click()
    expect(page.locator("[data-faces] .person")).not_to_have_count(0)
    page.locator("[data-faces] .pick").first.check()


def unknown(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/unknown")
    expect(page.locator("[data-faces] .person")).not_to_have_count(0)


def jobs(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/jobs")
    expect(page.locator(".letter")).to_have_count(1)


def missing(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/#/image/{'0' * 64}")
    expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()


def docs(page: Page, site: Stack, files: Write) -> None:
    page.goto(f"{site.url}/docs")
    expect(page.get_by_role("heading", name="API", exact=True)).to_be_visible()


VIEWS: list[Go] = [add_empty, add_done, images, image, erase, people, person, unknown, search, jobs, missing, docs]


def faults(page: Page) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{fault['impact']} {fault['id']}: {fault['help']} {[node['html'][:150] for node in fault['nodes'][:3]]}"
        for fault in found
    ]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_axe_finds_no_fault_in_light_and_in_dark(page: Page, site: Stack, files: Write, view: Go) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    view(page, site, files)

    light = faults(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert {"light": light, "dark": faults(page)} == {"light": [], "dark": []}


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_a_phone_needs_no_sideways_scroll_and_what_one_touches_is_large_enough(
    phone: Page, site: Stack, files: Write, view: Go
) -> None:
    """WCAG 2.2, 2.5.8: 24 pixels, but for links inside of text."""
    view(phone, site, files)

    too_wide = phone.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth && innerWidth === 360 ? [] :
            [innerWidth, document.documentElement.scrollWidth, ...[...document.querySelectorAll("*")].filter(
                element => element.getBoundingClientRect().right > 360.5).map(element => element.outerHTML.slice(0, 120))]"""
    )
    small = phone.evaluate(
        """() => [...document.querySelectorAll("button, .button, .tabs a, input, select")].filter(element => {
            const {width, height} = element.getBoundingClientRect();
            return width > 2 && (width < 24 || height < 24) && !element.matches("[type=radio], [type=file], .box");
        }).map(element => element.outerHTML.slice(0, 120))"""
    )
    assert {"too wide": too_wide, "too small": small} == {"too wide": [], "too small": []}


@pytest.mark.parametrize("width", [600, 744, 768, 820, 960, 1024, 1180])
def test_words_of_the_tabs_stay_whole_on_tablets(page: Page, site: Stack, width: int) -> None:
    """Also while a pill tells of an upload and somebody is signed in."""
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{site.url}/#/people")
    expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()
    page.evaluate("""() => {
        document.getElementById("ambient").textContent = "1,234 of 5,678";
        for (const id of ["ambient", "sign-out"]) document.getElementById(id).hidden = false;
    }""")

    broken = page.evaluate(
        """() => [...document.querySelectorAll(".brand span, .tabs span")].filter(
            element => element.getBoundingClientRect().height > 1.9 * parseFloat(getComputedStyle(element).fontSize)
        ).map(element => element.textContent)"""
    )
    assert broken == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_whole_way_by_keyboard(page: Page, site: Stack) -> None:
    page.goto(site.url)
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"

    tab_to(page, "Pictures", backwards=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Pictures")).to_be_focused()
    expect(page.locator(".tile img").first).to_be_visible()
    tab_to(page, "party.jpg")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="party.jpg")).to_be_visible()
    tab_to(page, "Face 2")
    expect(page.locator(".face-row").nth(1)).to_have_class(re.compile("lit"))
    tab_to(page, "Erase…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert focused(page) == "Cancel", "what destroys does not have the focus"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert focused(page) == "Erase…", "the focus goes back where it was"


def focused(page: Page) -> str:
    name: str = page.evaluate(
        "() => document.activeElement.ariaLabel || document.activeElement.textContent.trim() || document.activeElement.id"
    )
    return name


def tab_to(page: Page, name: str, *, backwards: bool = False) -> None:
    for _ in range(80):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if focused(page) == name:
            return
    pytest.fail(f"no way to {name} by keyboard")


def test_what_has_the_focus_is_seen(page: Page, site: Stack) -> None:
    page.goto(site.url)
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    for _ in range(9):
        page.keyboard.press("Tab")
        width = page.evaluate(
            """() => {
                const element = document.activeElement.closest("label") ?? document.activeElement;
                return parseFloat(getComputedStyle(element).outlineWidth);
            }"""
        )
        assert width >= 2, focused(page)


def test_signing_in_has_no_fault(page: Page, make_site: MakeSite) -> None:
    other = make_site(workers=0)
    give_token(other, "alice")
    page.goto(other.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    assert faults(page) == []
