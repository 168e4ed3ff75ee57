"""What the page must not let happen: foreign scripts, foreign sites, uploads that run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from facerec.adapters.redis.tokens import token_hash
from tests.client import wait_until
from tests.drawings import drawing
from tests.e2e.conftest import MakeSite, give_token, tokens_of
from tests.stack import Stack

Write = Callable[[dict[str, bytes]], list[str]]
SCRIPT = b"<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def site(make_site: MakeSite) -> Stack:
    return make_site()


def polyglot(kind: str) -> bytes:
    """A real picture that is HTML with a script as well."""
    out = io.BytesIO()
    picture = Image.new("RGB", (64, 64), (200, 30, 30))
    if kind == "GIF":
        picture.save(out, kind, comment=b"--><html>" + SCRIPT)
        return out.getvalue() + b"<html>" + SCRIPT
    picture.save(out, kind)
    return out.getvalue() + b"<html>" + SCRIPT


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Page]:
    """A page whose complaints are expected."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
def test_an_upload_is_never_run(stranger: Page, site: Stack, kind: str) -> None:
    image_hash = site.scan(polyglot(kind), f"<script>alert(1)</script>.{kind.lower()}")
    site.wait_ended([image_hash])

    for path in ("original", "overlay"):
        answer = stranger.goto(f"{site.url}/images/{image_hash}/{path}")
        assert answer is not None
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["content-type"].startswith("image/")
        assert stranger.title() != "taken over"


def test_what_is_no_picture_is_not_kept(site: Stack) -> None:
    for body in (b"<svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT + b"</svg>", b"<html>" + SCRIPT, b"%PDF-1.7"):
        assert site.post(body, "x.svg").status_code == 415


def test_names_are_text_and_never_markup(page: Page, site: Stack) -> None:
    name = '"><img src=x onerror="document.title=1"><script>document.title=2<script>.png'
    image_hash = site.scan(drawing(), name)
    site.wait_ended([image_hash])
    for view in ("images", f"image/{image_hash}"):
        page.goto(f"{site.url}/#/{view}")
        expect(page.get_by_text("onerror").first).to_be_visible()
        assert page.title() not in {"1", "2"}
    page.goto(f"{site.url}/images/{image_hash}/overlay")
    assert page.title() not in {"1", "2"}


def test_a_name_that_turns_text_around_is_written_out(page: Page, site: Stack) -> None:
    """With U+202E the end of this one would look like exe.png."""
    image_hash = site.scan(drawing(), "holiday/gnp.\u202eexe.png")
    site.wait_ended([image_hash])
    for view in ("images", f"image/{image_hash}"):
        page.goto(f"{site.url}/#/{view}")
        expect(page.get_by_text("gnp.\\u202eexe.png").first).to_be_visible()
        assert "\u202e" not in page.content()
        assert "\u202e" not in page.title()


def test_a_script_that_got_into_the_page_would_not_run(browser: Browser, site: Stack) -> None:
    context = browser.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(site.url)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken over'";
            document.head.append(script);
            const style = document.createElement("div");
            style.setAttribute("style", "color: red");
            const image = document.createElement("div");
            image.innerHTML = "<img src=x onerror=\\"document.title='taken over'\\">";
            document.body.append(style, image);
        }"""
    )
    page.wait_for_load_state("networkidle")
    assert page.title() != "taken over"
    assert sum("Content Security Policy" in text for text in refused) >= 3
    context.close()


class Elsewhere(BaseHTTPRequestHandler):
    """A page of somebody else; what it tries stands in its title when it is done."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A server of another origin on this machine, whose page attacks the site; a format for the site's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


ATTACK = """<title>trying</title><script>
const site = SITE, hash = HASH;
const tries = [
  fetch(site + "/images/" + hash, {method: "DELETE", mode: "cors", credentials: "include"}),
  fetch(site + "/dead/drop", {method: "POST", mode: "no-cors", credentials: "include", body: '{"all": true}'}),
  fetch(site + "/scan/image/evil.png", {method: "POST", mode: "no-cors", credentials: "include", body: "x"}),
  fetch(site + "/session", {method: "POST", mode: "no-cors", credentials: "include", body: '{"token": "x"}'}),
  fetch(site + "/images", {credentials: "include"}).then(r => r.text()).then(() => { document.title = "read it"; }),
];
Promise.allSettled(tries).then(() => { if (document.title === "trying") document.title = "done"; });
</script>"""


def attack(page: Page, site: Stack, elsewhere: str) -> None:
    """Let a page of another origin try everything, in a browser that may have a session; nothing must come of it."""
    image_hash = site.scan(drawing(), "mine.png")
    site.wait_ended([image_hash])
    Elsewhere.body = ATTACK.replace("SITE", repr(site.url)).replace("HASH", repr(image_hash)).encode()

    page.goto(elsewhere)
    expect(page).to_have_title("done")

    tried = {("POST", "/dead/drop"), ("POST", "/scan/image/evil.png"), ("POST", "/session")}
    wait_until(lambda: tried <= answered(site).keys(), "the attack reached the service", site.log_tails)
    assert {answered(site)[call] for call in tried} <= {401, 403}
    assert ("DELETE", f"/images/{image_hash}") not in answered(site), "not even asked: the browser may not"
    assert site.image(image_hash)["state"] == "done"


def answered(site: Stack) -> dict[tuple[str, str], int]:
    """The newest status of every call, from the service's own log."""
    lines = (site.folder / "rest.log").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in lines if line.startswith("{") and '"action": "request"' in line]
    return {(call["method"], call["path"]): call["status"] for call in calls}


def test_another_site_can_do_nothing_here(stranger: Page, site: Stack, elsewhere: str) -> None:
    attack(stranger, site, elsewhere)


def sign_in(page: Page, site: Stack, token: str) -> None:
    page.goto(site.url)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_another_site_can_do_nothing_with_a_session(stranger: Page, make_site: MakeSite, elsewhere: str) -> None:
    site = make_site()
    token = give_token(site, "default")
    sign_in(stranger, site, token)
    expect(stranger.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    assert stranger.context.cookies()[0]["sameSite"] == "Strict"
    assert stranger.context.cookies()[0]["httpOnly"] is True

    attack(stranger, site, elsewhere)


def test_signing_in_and_out(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site()
    token = give_token(site, "alice")
    page.goto(f"{site.url}/#/images")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, site, "wrong")
    expect(page.get_by_role("alert")).to_have_text("Nobody has this token.")

    sign_in(page, site, token)
    page.set_input_files("[data-files]", files({"mine.png": drawing()}))
    expect(page.locator("[data-headline]")).to_have_text("1 of 1 picture done")
    assert token not in str(page.context.cookies())
    assert page.evaluate("() => [document.cookie, Object.keys(localStorage).length]") == ["", 0]
    page.reload()
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_revoked_token_signs_out(page: Page, make_site: MakeSite) -> None:
    site = make_site()
    token = give_token(site, "alice")
    give_token(site, "bob")
    sign_in(page, site, token)
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()

    with tokens_of(site) as tokens:
        tokens.revoke(token_hash(token))
    page.get_by_role("link", name="Pictures", exact=True).click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def signed_out_while_adding(page: Page, site: Stack, files: Write) -> None:
    """Alice is signed out by a token that is revoked, with a picture that was not sent yet."""
    token = give_token(site, "alice")
    sign_in(page, site, token)
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    with tokens_of(site) as tokens:
        tokens.revoke(token_hash(token))
    page.set_input_files("[data-files]", files({"mine.png": drawing(b"alice")}))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_pictures_that_were_not_sent_wait_for_whoever_added_them(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site()
    give_token(site, "bob")
    signed_out_while_adding(page, site, files)

    sign_in_here(page, give_token(site, "alice"))

    expect(page.locator("[data-headline]")).to_have_text("1 of 1 picture done")


def test_what_one_added_is_neither_shown_to_the_next_nor_sent_for_them(
    page: Page, make_site: MakeSite, files: Write
) -> None:
    site = make_site()
    bob = give_token(site, "bob")
    signed_out_while_adding(page, site, files)

    sign_in_here(page, bob)

    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    expect(page.locator("[data-progress]")).to_be_hidden()
    page.set_input_files("[data-files]", files({"other.png": drawing(b"bob")}))
    expect(page.locator("[data-headline]")).to_have_text("1 of 1 picture done")
    page.get_by_role("link", name="Pictures", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)


def test_who_signs_out_leaves_nothing_on_the_page(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site()
    token = give_token(site, "alice")
    sign_in(page, site, token)
    page.set_input_files("[data-files]", files({"mine.png": drawing()}))
    expect(page.locator("[data-headline]")).to_have_text("1 of 1 picture done")
    page.get_by_role("button", name="Sign out").click()

    sign_in_here(page, token)

    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    expect(page.locator("[data-progress]")).to_be_hidden()


def test_signing_out_asks_before_pictures_are_left_behind(page: Page, make_site: MakeSite, files: Write) -> None:
    site = make_site()
    sign_in(page, site, give_token(site, "alice"))
    expect(page.get_by_role("heading", name="Who is in your pictures?")).to_be_visible()
    page.route("**/scan/image/*", lambda route: route.abort())
    page.set_input_files("[data-files]", files({"mine.png": drawing()}))
    expect(page.locator("[data-notice]")).to_contain_text("The service cannot be reached")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog")).to_contain_text("Not sent yet: 1 picture.")
    page.get_by_role("button", name="Cancel").click()
    page.unroute("**/scan/image/*")
    expect(page.locator("[data-headline]")).to_have_text("1 of 1 picture done")


def sign_in_here(page: Page, token: str) -> None:
    """Without loading the page anew."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
