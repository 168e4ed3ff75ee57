"""People on the page, with drawn ones: naming, merging, splitting, "not this person", undo, suggestions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pytest
from playwright.sync_api import Page, Route, expect

from tests.client import wait_until
from tests.e2e.conftest import MakeSite, as_owner
from tests.e2e.people import photo
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]
GROUPS = {"Ada": 6, "Ben": 4, "Chloe": 3}


@pytest.fixture(scope="module")
def service(make_site: MakeSite) -> Stack:
    return make_site()


@pytest.fixture
def own(service: Stack, page: Page, request: pytest.FixtureRequest) -> Stack:
    """The service as the owner of this test has it, with nothing in it."""
    return as_owner(service, re.sub("[^a-z0-9_-]", "", request.node.name)[-48:].strip("_"), page)


@cache
def scene(name: str, number: int) -> bytes:
    return photo([name], number)


@pytest.fixture
def site(own: Stack) -> Stack:
    """Thirteen pictures of three people, grouped, and one of somebody who is there once."""
    pictures = {f"{name} {n}.jpg": scene(name, n) for name, size in GROUPS.items() for n in range(size)}
    pictures["stranger.jpg"] = scene("Zoe", 1)
    own.wait_ended([own.scan(body, name) for name, body in pictures.items()])
    wait_until(lambda: sizes(own) == [6, 4, 3], "they are grouped", own.log_tails)
    return own


def people(site: Stack, **query: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = site.session.get(f"{site.url}/people", params=query, timeout=30).json()["results"]
    return found


def sizes(site: Stack) -> list[int]:
    return [int(str(person["faces"])) for person in people(site)]


@pytest.fixture
def view(page: Page, site: Stack) -> Page:
    page.goto(f"{site.url}/#/people")
    expect(page.locator("[data-unnamed] .person")).to_have_count(3)
    return page


def name_first(page: Page, name: str) -> None:
    page.locator(".naming input").first.fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=name, exact=True).last).to_be_visible()


def test_a_name_is_all_it_takes(view: Page, site: Stack) -> None:
    name_first(view, "Ada Lovelace")

    expect(view.get_by_role("heading", name="Known by name")).to_be_visible()
    expect(view.locator("[data-named] .person")).to_contain_text(["Ada Lovelace6 faces"])
    expect(view.locator("[data-unnamed] .person")).to_have_count(2)
    assert people(site, named="true")[0]["name"] == "Ada Lovelace"
    view.get_by_label("Name begins with").fill("Ada")
    view.get_by_role("button", name="Show", exact=True).click()
    expect(view.locator("[data-unnamed-part]")).to_be_hidden()
    expect(view.locator("[data-named] .person")).to_have_count(1)


def test_undo_takes_the_newest_change_back(view: Page, site: Stack) -> None:
    name_first(view, "Ada")
    view.get_by_role("button", name="Undo", exact=True).click()

    expect(view.locator("[data-unnamed] .person")).to_have_count(3)
    expect(view.locator("[data-named-part]")).to_be_hidden()
    assert people(site, named="true") == []


def test_a_name_that_somebody_has_may_mean_the_same_person(view: Page, site: Stack) -> None:
    name_first(view, "Ada")
    view.locator(".naming input").first.fill("Ada")
    view.keyboard.press("Enter")
    expect(view.get_by_role("dialog", name="The same person?")).to_be_visible()
    view.get_by_role("button", name="One person").click()
    expect(view.locator("[data-named] .person")).to_contain_text(["Ada10 faces"])

    view.get_by_role("button", name="Undo the merge").click()
    expect(view.locator("[data-named] .person")).to_have_count(2)
    assert [person["name"] for person in people(site, named="true")] == ["Ada", "Ada"]


@pytest.mark.parametrize("one", [True, False])
def test_a_name_that_somebody_has_is_asked_about_in_the_view_of_a_person(page: Page, own: Stack, one: bool) -> None:
    own.wait_ended([own.scan(scene(who, n), f"{who} {n}.jpg") for who in ("Ada", "Ben") for n in range(2)])
    wait_until(lambda: sizes(own) == [2, 2], "they are grouped", own.log_tails)
    first, second = people(own)
    assert own.session.patch(f"{own.url}/people/{first['id']}", json={"name": "Ada"}, timeout=30).ok

    page.goto(f"{own.url}/#/person/{second['id']}")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="One person" if one else "Two people").click()

    expect(page).to_have_url(re.compile(f"#/person/{first['id'] if one else second['id']}$"))
    expect(page.locator("[data-count]")).to_have_text("4 faces" if one else "2 faces")
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()
    assert sizes(own) == ([4] if one else [2, 2])


def test_two_groups_become_one_person(view: Page, site: Stack) -> None:
    name_first(view, "Ada")
    view.locator("[data-unnamed] .pick").nth(0).check()
    view.locator("[data-named] .pick").nth(0).check()
    expect(view.get_by_role("toolbar")).to_contain_text("2 chosen")
    view.get_by_role("button", name="Merge").click()

    expect(view.locator("[data-named] .person")).to_contain_text(["Ada10 faces"])
    assert sizes(site) == [10, 3]
    view.get_by_role("button", name="Undo the merge").click()
    expect(view.locator("[data-unnamed] .person")).to_have_count(2)
    assert sizes(site) == [6, 4, 3]


def test_what_is_chosen_while_the_list_is_on_its_way_stays_chosen(view: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    view.route("**/people?named=false**", hold)
    with view.expect_request("**/people?named=false**"):
        view.get_by_role("button", name="Show", exact=True).click()
    view.locator("[data-unnamed] .pick").nth(1).check()
    with view.expect_response("**/people/undo"):
        held.pop().continue_()

    expect(view.locator("[data-unnamed] .pick").nth(1)).to_be_checked()
    expect(view.get_by_role("toolbar")).to_contain_text("1 chosen")


def test_two_names_need_a_decision(view: Page, site: Stack) -> None:
    name_first(view, "Ada")
    name_first(view, "Ben")
    for pick in view.locator("[data-named] .pick").all():
        pick.check()
    view.get_by_role("button", name="Merge").click()
    view.get_by_role("dialog").get_by_role("radio", name="Ben").check()
    view.get_by_role("dialog").get_by_role("button", name="Merge").click()

    expect(view.locator("[data-named] .person")).to_contain_text(["Ben10 faces"])


def test_the_hidden_are_out_of_sight_until_asked_for(view: Page, site: Stack) -> None:
    view.locator("[data-unnamed] .pick").nth(2).check()
    view.get_by_role("button", name="Hide", exact=True).click()
    expect(view.locator("[data-unnamed] .person")).to_have_count(2)
    view.get_by_label("Hidden ones").check()
    expect(view.locator("[data-unnamed] .person")).to_have_count(1)
    view.locator("[data-unnamed] .pick").check()
    view.get_by_role("button", name="Show again").click()
    expect(view.get_by_text("Nobody is hidden.")).to_be_visible()
    view.get_by_label("Hidden ones").uncheck()
    expect(view.locator("[data-unnamed] .person")).to_have_count(3)
    view.get_by_label("Name begins with").fill("Zoe")
    view.get_by_role("button", name="Show", exact=True).click()
    expect(view.get_by_text("Nobody has a name that begins with “Zoe”.")).to_be_visible()
    expect(view.get_by_role("link", name="Add pictures")).to_be_hidden()


@pytest.fixture
def ada(view: Page) -> Page:
    """The page of the largest group, with a name."""
    name_first(view, "Ada")
    view.get_by_role("link", name="Ada", exact=True).last.click()
    expect(view.get_by_role("heading", name="Ada")).to_be_visible()
    expect(view.locator("[data-faces] .person")).to_have_count(6)
    return view


def test_some_faces_become_a_new_person(ada: Page, site: Stack) -> None:
    for number in (0, 1):
        ada.locator("[data-faces] .pick").nth(number).check()
    ada.get_by_role("button", name="Split off as a new person").click()

    expect(ada.locator("[data-faces] .person")).to_have_count(4)
    wait_until(lambda: sorted(sizes(site)) == [2, 3, 4, 4], "there is a new person")
    ada.get_by_role("button", name="Undo the split").click()
    expect(ada.locator("[data-faces] .person")).to_have_count(6)


def test_what_is_not_this_person_stays_away(ada: Page, site: Stack) -> None:
    ada.locator("[data-faces] .pick").nth(0).check()
    ada.get_by_role("button", name="Not this person").click()
    expect(ada.locator("[data-faces] .person")).to_have_count(5)

    # A new picture makes the grouping look again.
    site.wait_ended([site.scan(photo(["Ada"], 50), "Ada again.jpg")])
    wait_until(lambda: sizes(site)[0] == 6, "the new picture found its place", site.log_tails)
    ada.reload()
    expect(ada.locator("[data-faces] .person")).to_have_count(6)
    expect(ada.locator("[data-maybe] .person")).to_have_count(0)


def test_the_cover_can_be_chosen_and_the_name_changed(ada: Page, site: Stack) -> None:
    # The order of the faces is that in which the pictures were finished, so the cover may be any of them.
    cover = ada.locator("[data-cover] img")
    faces = ada.locator("[data-faces] .person img")
    expect(faces).to_have_count(6)
    sources = [str(face.get_attribute("src")) for face in faces.all()]
    assert cover.get_attribute("src") in sources
    chosen = next(number for number, source in enumerate(sources) if source != cover.get_attribute("src"))
    ada.locator("[data-faces] .pick").nth(chosen).check()
    ada.get_by_role("button", name="Use as the cover").click()
    expect(cover).to_have_attribute("src", sources[chosen])

    ada.get_by_label("Name", exact=True).fill("Countess")
    ada.get_by_role("button", name="Save").click()
    expect(ada.get_by_role("heading", name="Countess")).to_be_visible()
    ada.get_by_role("button", name="Hide this person").click()
    expect(ada.get_by_role("button", name="Show this person again")).to_be_visible()


def test_a_split_off_face_is_suggested_and_taken_back_in(ada: Page, site: Stack) -> None:
    ada.locator("[data-faces] .pick").nth(0).check()
    ada.get_by_role("button", name="Split off as a new person").click()
    expect(ada.get_by_role("heading", name="The same person?")).to_be_visible()
    ada.locator("[data-maybe]").get_by_role("button").first.click()

    expect(ada.locator("[data-faces] .person")).to_have_count(6)
    assert sizes(site) == [6, 4, 3]


def test_names_stand_with_faces_and_answers(view: Page, site: Stack, files: Write) -> None:
    name_first(view, "Ada")
    view.get_by_role("link", name="Pictures", exact=True).click()
    view.locator(".tile", has_text="Ada 0.jpg").locator("a").click()
    expect(view.locator(".face-row").get_by_role("link", name="Ada", exact=True)).to_be_visible()

    view.get_by_role("link", name="Search", exact=True).click()
    view.set_input_files("[data-file]", files({"who.jpg": photo(["Ada"], 80)}))
    expect(view.locator("article.card h2")).to_have_text("Face 1: Ada")
    view.locator("article.card h2 a").click()
    expect(view.get_by_role("heading", name="Ada")).to_be_visible()


def test_faces_without_a_name(view: Page, site: Stack) -> None:
    view.get_by_role("link", name="All faces without a name").click()
    expect(view.locator("[data-faces] .person")).to_have_count(14)
    expect(view.locator("[data-faces] .person").first).to_contain_text("6 faces")
    expect(view.locator("[data-faces] .person").last).to_contain_text("alone")
    view.locator("[data-faces] .pick").last.check()
    view.get_by_role("button", name="They are one person").click()
    expect(view.get_by_role("heading", name="Somebody without a name")).to_be_visible()


def test_people_appear_while_pictures_come(page: Page, own: Stack, files: Write) -> None:
    page.goto(own.url)
    page.set_input_files("[data-files]", files({f"ada {n}.jpg": photo(["Ada"], n) for n in range(4)}))
    page.get_by_role("link", name="People", exact=True).click()

    expect(page.locator("[data-unnamed] .person")).to_contain_text([re.compile("4 faces")])


def test_names_without_an_end_leave_room(page: Page, own: Stack) -> None:
    picture = "withoutanyspace" * 12
    hashes = [own.scan(scene("Ada", number), f"{number}/{picture}.jpg") for number in range(2)]
    own.wait_ended(hashes)
    wait_until(lambda: sizes(own) == [2], "the two are a person", own.log_tails)
    person = people(own)[0]["id"]
    assert own.session.patch(f"{own.url}/people/{person}", json={"name": "W" * 200}, timeout=30).ok
    shown = [("people", ".person .name"), (f"person/{person}", "h1")]
    shown += [(f"image/{hashes[0]}", names) for names in ("h1", ".match .name")]
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 740})
        for view, names in shown:
            page.goto(f"{own.url}/#/{view}")
            name = page.locator(names).filter(has_text=re.compile(f"WWW|{picture}")).first
            lines = name.evaluate("it => it.clientHeight / parseFloat(getComputedStyle(it).lineHeight)")
            assert round(lines) <= 3, (view, names)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view
