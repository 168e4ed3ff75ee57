"""Adding pictures: each way in, live progress, failures with their reason, and back-pressure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.e2e.conftest import MakeSite
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    return make_site()


@pytest.fixture
def add(page: Page, site: Stack) -> Page:
    page.goto(site.url)
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    return page


def headline(page: Page, words: str) -> None:
    expect(page.locator("[data-headline]")).to_have_text(words)


def names(site: Stack) -> set[str]:
    found, path = set(), "/images?limit=500"
    while path:
        answer = site.session.get(site.url + path, timeout=30).json()
        found |= {name for image in answer["results"] for name in image["names"]}
        path = answer["next_page"]
    return found


def assert_said(page: Page, name: str, words: str) -> None:
    """Rows are drawn a moment after the headline."""
    expect(page.locator(".upload", has_text=name)).to_contain_text(words)


def test_chosen_pictures_become_done_before_ones_eyes(add: Page, files: Write) -> None:
    add.set_input_files("[data-files]", files({f"photo {n}.png": showing("ann") for n in range(12)}))

    headline(add, "12 of 12 pictures done")
    assert add.locator(".upload.done").count() == 12
    assert add.get_by_role("progressbar", name="Pictures finished").evaluate("bar => bar.value === bar.max")
    expect(add.locator("#ambient")).to_be_hidden()
    add.get_by_role("link", name="photo 3.png").click()
    expect(add.get_by_role("heading", name="photo 3.png")).to_be_visible()


def test_a_broken_file_shows_its_reason_and_can_be_sent_again(add: Page, files: Write) -> None:
    contents = {
        "good.png": drawing(),
        "no picture.jpg": b"only text",
        "cut off.jpg": b"\xff\xd8\xff\xe0",
        "hostile.png": drawing(b"CRASH"),
    }
    add.set_input_files("[data-files]", files(contents))

    headline(add, "1 of 4 pictures done, 3 failed")
    assert_said(add, "no picture.jpg", "This is no picture of a known kind.")
    assert_said(add, "cut off.jpg", "The picture is damaged.")
    assert_said(add, "hostile.png", "The picture broke the program that looked at it.")

    add.get_by_role("button", name="Send no picture.jpg again").click()
    headline(add, "1 of 4 pictures done, 3 failed")
    add.get_by_role("button", name="Send the failed ones again").click()
    expect(add.locator("[data-headline]")).to_have_text("1 of 4 pictures done, 3 failed")
    add.get_by_role("button", name="Failed 3").click()
    expect(add.locator(".upload")).to_have_count(3)


def test_a_zip_is_unpacked_in_the_browser(add: Page, files: Write, site: Stack) -> None:
    held = {"zip/a.png": drawing(), "zip/ä ö/b.png": drawing(), "zip/stored.png": drawing()}
    others = {"zip/readme.txt": b"text", "__MACOSX/zip/._a.png": b"", "zip/.hidden.png": drawing()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("zip/empty")
        for name, content in (held | others).items():
            kind = zipfile.ZIP_STORED if "stored" in name else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=kind)
        archive.comment = b"PK\x05\x06 in a comment"

    add.set_input_files("[data-files]", files({"pictures.zip": out.getvalue()}))

    headline(add, "3 of 3 pictures done")
    assert held.keys() <= names(site)
    expect(add.locator("[data-notice]")).to_contain_text("3 files left out")


def test_a_large_zip_format_is_understood(add: Page, files: Write, site: Stack) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            with archive.open(zipfile.ZipInfo(f"zip64/{n}.png"), "w", force_zip64=True) as entry:
                entry.write(drawing())
        archive._allowZip64 = True  # type: ignore[attr-defined]

    add.set_input_files("[data-files]", files({"large.zip": out.getvalue()}))

    headline(add, "3 of 3 pictures done")
    assert {f"zip64/{n}.png" for n in range(3)} <= names(site)


def test_what_is_no_zip_says_so(add: Page, files: Write) -> None:
    add.set_input_files("[data-files]", files({"bad.zip": b"PK\x03\x04 and then nothing"}))

    headline(add, "0 of 1 picture done, 1 failed")
    assert_said(add, "bad.zip", "this is no ZIP file")


def test_a_folder_is_walked(add: Page, files: Write, site: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    files({"trip/day 1/a.png": drawing(), "trip/day 2/b.png": drawing(), "trip/notes.txt": b"text"})
    folder = next(path for path in tmp_path_factory.getbasetemp().rglob("trip") if path.is_dir())
    add.set_input_files("[data-folder]", str(folder))

    headline(add, "2 of 2 pictures done")
    assert {"trip/day 1/a.png", "trip/day 2/b.png"} <= names(site)


def test_files_can_be_dropped(add: Page, site: Stack) -> None:
    transfer = add.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], 'dropped.png', {type: 'image/png'}));
            return transfer;
        }""",
        list(drawing()),
    )
    add.dispatch_event("[data-drop]", "drop", {"dataTransfer": transfer})

    headline(add, "1 of 1 picture done")
    assert "dropped.png" in names(site)


def test_addresses_that_cannot_be_fetched_say_why(add: Page) -> None:
    add.get_by_role("button", name="Paste addresses").click()
    add.get_by_label("Addresses of pictures").fill("http://127.0.0.1:1/a.jpg\nftp://example.org/b.jpg nonsense")
    add.get_by_role("button", name="Add", exact=True).click()

    headline(add, "0 of 3 pictures done, 3 failed")
    assert_said(add, "http://127.0.0.1:1/a.jpg", "This address may not be fetched.")
    assert_said(add, "ftp://example.org/b.jpg", "This address may not be fetched.")


def test_what_was_done_before_is_done_at_once(add: Page, site: Stack, files: Write) -> None:
    body = drawing()
    site.wait_ended([site.scan(body, "first.png")])

    add.set_input_files("[data-files]", files({"second.png": body}))

    headline(add, "1 of 1 picture done")
    assert {"first.png", "second.png"} <= names(site)


def test_names_are_kept_whatever_they_are(add: Page, site: Stack, files: Write) -> None:
    chosen = ["100% & more?.png", "#hash.png", "ünïcödé 猫.png", "a+b=c;d.png"]
    add.set_input_files("[data-files]", files({name: drawing() for name in chosen}))

    headline(add, "4 of 4 pictures done")
    assert set(chosen) <= names(site)


def test_a_service_that_went_away_is_waited_for_and_not_called_busy(add: Page, files: Write) -> None:
    add.route("**/scan/image/**", lambda route: route.abort())
    add.set_input_files("[data-files]", files({"patient.png": drawing()}))
    expect(add.locator("[data-notice]")).to_contain_text("The service cannot be reached: going on in")

    add.unroute("**/scan/image/**")
    headline(add, "1 of 1 picture done")


def test_uploading_goes_on_while_one_looks_around(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site(workers=0)
    page.goto(site.url)
    page.set_input_files("[data-files]", files({f"{n}.png": drawing() for n in range(20)}))
    expect(page.locator("[data-filters] [data-key=open]")).to_have_text("Under way 20")
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.locator("#ambient")).to_have_text("0 of 20")
    expect(page.locator("[data-parts] .bad")).to_contain_text("no worker lives")

    site.start_worker()

    expect(page.locator("#ambient")).to_be_hidden()
    expect(page.locator(".figure", has_text="done").locator("b")).to_have_text("20")
    page.go_back()
    headline(page, "20 of 20 pictures done")


def test_a_full_queue_slows_the_page_down_and_loses_nothing(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site(workers=0, QUEUE_LIMIT="5")
    wait_until(lambda: site.post(drawing(), "before.png").status_code == 429, "the queue is full")
    page.goto(site.url)
    page.set_input_files("[data-files]", files({f"{n}.png": drawing() for n in range(40)}))
    expect(page.locator("[data-notice]")).to_contain_text("asks for a pause")
    assert page.locator(".upload.failed").count() == 0

    site.start_worker()

    expect(page.locator("[data-headline]")).to_have_text("40 of 40 pictures done", timeout=120_000)
    assert {f"{n}.png" for n in range(40)} <= names(site)


def test_without_a_stream_the_page_asks_now_and_then(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site(EVENT_STREAMS="0")
    page.goto(site.url)
    page.set_input_files("[data-files]", files({f"{n}.png": drawing() for n in range(5)}))

    headline(page, "5 of 5 pictures done")
