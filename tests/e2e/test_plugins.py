"""What the example plugins show, looked at in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.drawings import showing
from tests.e2e.conftest import MakeSite
from tests.e2e.people import photo
from tests.stack import ROOT, Stack


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    made = make_site(PLUGINS_DIRS=str(ROOT / "examples" / "plugins"), PLUGINS_ENABLED="*")
    post(made, "/v1/face", photo(["Ada"], 1), meta="Ada <i>Lovelace</i>")
    return made


def post(site: Stack, path: str, body: bytes, **fields: str) -> Any:
    answer = site.session.post(f"{site.url}{path}", files={"photo": ("p.jpg", body)}, data=fields, timeout=60)
    assert answer.ok, answer.text
    return answer.json()


def test_the_report_shows_the_faces_that_were_identified(page: Page, site: Stack) -> None:
    post(site, "/v1/identify", photo(["Ada"], 2), threshold="low")
    post(site, "/v1/identify", showing("stranger"))
    page.goto(f"{site.url}/report")

    expect(page.get_by_role("heading", name="Identified faces")).to_be_visible()
    expect(page.locator("tr")).to_have_count(3)
    known = page.locator("tr", has_text="Lovelace")
    expect(known.locator("td").nth(2)).to_have_text("Ada <i>Lovelace</i>")
    expect(page.locator("tr", has_text="unknown")).to_have_count(1)
    # The thumbnail was loaded, and the style, too.
    assert known.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.locator("table")).to_have_css("border-collapse", "collapse")


def test_the_page_of_the_stream_tells_what_happens(page: Page, site: Stack) -> None:
    page.goto(f"{site.url}/stream/page")
    expect(page.locator("#state")).to_have_text("listening")
    post(site, "/v1/face", photo(["Ben"], 3), meta="Ben")
    post(site, "/v1/identify", photo(["Ada"], 4), threshold="low")
    post(site, "/v1/identify", showing("somebody else"))

    expect(page.locator("#events li").nth(2)).to_have_text("stored Ben")
    expect(page.locator("#events li").nth(1)).to_contain_text("identified Ada <i>Lovelace</i> with confidence ")
    expect(page.locator("#events li").nth(0)).to_have_text("identified nobody")
