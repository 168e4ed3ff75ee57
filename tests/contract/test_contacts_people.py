"""A contact is a person of its owner: what is added by contacts is seen among the people, and erased there; over REST."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from facerec.adapters.redis import RedisAdmissions, RedisDatabases, RedisFaceBook, RedisPeople
from facerec.adapters.redis.contacts_check import contact_faults
from facerec.adapters.redis.people_check import check_people
from facerec.engine.fake import FakeEngine
from facerec.galleries import DEFAULT_GALLERY, Bounds
from facerec.jobs import Reply, Request
from facerec.rule import to_scanned
from facerec.services.contacts import ContactBooks, Contacts
from tests.contact_worlds import OwnWorker, Pages, face, face_url, open_books
from tests.faces import scan_job
from tests.front import Front
from tests.people_stage import Stage
from tests.services_client import ServicesClient

USER, CONTACT = 7, 42
NAME = "contact 42 of user 7"
Document = dict[str, Any]


class Impatient(OwnWorker):
    """A worker whose grouping is always faster than the call that waits for it."""

    stage: Stage
    one_at_a_time = threading.Lock()

    def call(self, request: Request, is_gone: Any = lambda: False) -> Reply:
        reply = super().call(request, is_gone)
        with self.one_at_a_time:
            self.stage.group()
        return reply


@pytest.fixture
def stage(databases: RedisDatabases) -> Stage:
    return Stage(databases)


@pytest.fixture(params=[OwnWorker, Impatient], ids=["before the grouping", "after the grouping"])
def books(request: pytest.FixtureRequest, databases: RedisDatabases, stage: Stage) -> Iterator[ContactBooks]:
    """Whichever is first, the call or the grouping, the outcome is the same."""
    worker = request.param(databases)
    worker.stage = stage
    opened = open_books(databases, Pages(), worker=worker)
    yield opened
    opened.close()


@pytest.fixture
def book(books: ContactBooks) -> Contacts:
    return books.of("default")


@pytest.fixture
def client(books: ContactBooks, databases: RedisDatabases) -> FlaskClient:
    front = Front(contacts=books, people=RedisPeople(databases))
    front.admissions = cast(Any, RedisAdmissions(databases))
    return ServicesClient(front.services)


@pytest.fixture(autouse=True)
def _whole(databases: RedisDatabases) -> Iterator[None]:
    yield
    assert list(check_people(databases)) == []
    assert list(contact_faults(databases)) == []


class Page:
    """What the page of the owner shows and does."""

    def __init__(self, client: FlaskClient, stage: Stage) -> None:
        self._client = client
        self._stage = stage

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._client.open(path, method=method, json=body)
        assert answer.status_code < 300, answer.text
        return answer.get_json() if answer.data else None

    def people(self) -> list[Document]:
        """After the grouping has seen everything."""
        self._stage.group()
        return cast(list[Document], self.ask("GET", "/people")["results"])

    def named(self) -> dict[str, int]:
        """Name and number of faces of everybody with a name."""
        return {each["name"]: each["faces"] for each in self.people() if each["name"]}

    def person(self, name: str) -> int:
        (found,) = [each["id"] for each in self.people() if each["name"] == name]
        return int(found)

    def images_of(self, person: int) -> list[str]:
        return [each["image"] for each in self.ask("GET", f"/people/{person}")["page"]["results"]]


@pytest.fixture
def page(client: FlaskClient, stage: Stage) -> Page:
    return Page(client, stage)


def ann(face_id: int, contact: int = CONTACT, user: int = USER) -> Document:
    return face(user, contact, face_id, face_url("ann", tag=face_id))


def add(book: Contacts, faces: Sequence[Document]) -> None:
    assert len(book.add_faces(faces[0]["user_id"], faces[0]["contact_id"], faces)["added"]) == len(faces)


def scan(stage: Stage, face_id: int) -> str:
    """The owner sends the picture of `ann` with this number; its hash."""
    body = Pages().fetch(face_url("ann", tag=face_id))
    job = scan_job(stage.admissions, f"holiday {face_id}.jpg", body)
    ticket = stage.commits.begin([job])[0].image_ticket
    stage.rule.catch_up()
    stage.rule.finish([to_scanned(job, ticket, FakeEngine().faces(body))])
    return job.hash


def image_of(stage: Stage, face_id: int) -> str:
    found = stage.admissions.known_url("default", face_url("ann", tag=face_id))
    assert found
    return found


# ---------------------------------------------------------------- seen there


def test_a_contact_with_faces_is_a_named_person_of_the_owner(book: Contacts, page: Page, stage: Stage) -> None:
    add(book, [ann(1), ann(2)])
    add(book, [face(USER, 43, 1, face_url())])
    (person,) = page.people()
    assert {name: person[name] for name in ("name", "faces", "contacts", "hidden")} == {
        "name": NAME,
        "faces": 2,
        "contacts": [{"user_id": USER, "contact_id": CONTACT}],
        "hidden": False,
    }
    assert sorted(page.images_of(person["id"])) == sorted(image_of(stage, n) for n in (1, 2))
    assert page.ask("GET", "/faces?person=none")["results"] == []
    add(book, [ann(3)])
    assert page.named() == {NAME: 3}


def test_contacts_that_look_alike_are_persons_of_their_own(book: Contacts, page: Page) -> None:
    """Who says that they are two knows better than the grouping."""
    add(book, [ann(1), ann(2)])
    add(book, [ann(3, 43), ann(4, 43)])
    add(book, [ann(5, CONTACT, 8)])
    assert page.named() == {NAME: 2, "contact 43 of user 7": 2, "contact 42 of user 8": 1}


def test_one_picture_of_several_contacts_is_one_person(book: Contacts, page: Page) -> None:
    add(book, [ann(1)])
    add(book, [ann(1, CONTACT, 8), ann(2, CONTACT, 8)])
    (person,) = page.people()
    assert (person["name"], person["faces"]) == (NAME, 2)
    assert [each["user_id"] for each in person["contacts"]] == [7, 8]
    book.delete_user(USER)
    assert page.named() == {"contact 42 of user 8": 2}
    book.delete_user(8)
    assert page.people() == []


def test_a_name_given_on_the_page_is_kept_and_faces_follow_it(book: Contacts, page: Page) -> None:
    add(book, [ann(1)])
    page.ask("PATCH", f"/people/{page.person(NAME)}", {"name": "Ann"})
    add(book, [ann(2), face(USER, CONTACT, 9, face_url("ann with a beard"))])
    assert page.named() == {"Ann": 3}
    book.delete_faces(USER, CONTACT, [ann(2)])
    assert page.named() == {"Ann": 2}
    book.delete_contact(USER, CONTACT)
    assert page.people() == []


def test_a_later_picture_of_the_owner_joins_and_stays_when_the_contact_goes(
    book: Contacts, page: Page, stage: Stage
) -> None:
    add(book, [ann(1), ann(2)])
    assert page.named() == {NAME: 2}
    image = scan(stage, 3)
    assert page.named() == {NAME: 3}
    book.delete_contact(USER, CONTACT)
    (person,) = page.people()
    assert (person["name"], person["contacts"], page.images_of(person["id"])) == (None, [], [image])


# ---------------------------------------------------------------- what was there before


@pytest.mark.parametrize("name", ["Ann", None])
def test_a_contact_whose_picture_is_there_already_is_the_person_on_it(
    book: Contacts, page: Page, stage: Stage, name: str | None
) -> None:
    for face_id in (1, 2, 3):
        scan(stage, face_id)
    (person,) = page.people()
    if name:
        page.ask("PATCH", f"/people/{person['id']}", {"name": name})
    add(book, [ann(1), ann(8)])
    (same,) = page.people()
    assert (same["id"], same["name"], same["faces"]) == (person["id"], name or NAME, 4)
    book.delete_contact(USER, CONTACT)
    (same,) = page.people()
    assert (same["id"], same["name"], same["faces"], same["contacts"]) == (person["id"], name, 3, [])


def test_what_the_owner_says_of_a_face_stands(book: Contacts, page: Page, stage: Stage) -> None:
    """It is still a face of the contact: corrections on the page are about people."""
    add(book, [ann(1), ann(2)])
    shown = page.ask("GET", f"/people/{page.person(NAME)}")["page"]["results"]
    (first,) = [each["id"] for each in shown if each["image"] == image_of(stage, 1)]
    page.ask("POST", f"/people/{page.person(NAME)}/not", {"faces": [first]})
    assert page.named() == {NAME: 1}
    add(book, [ann(1) | {"face_id": 5}])
    assert page.named() == {NAME: 1}
    assert len(book.get_faces(USER, CONTACT)) == 3
    assert (book.recognize_face(USER, face_url("ann", tag="probe")) or [])[0]["contact_id"] == CONTACT


def test_a_face_that_a_contact_loses_goes_to_no_person_that_it_was_said_not_to_be(
    book: Contacts, page: Page, stage: Stage
) -> None:
    add(book, [ann(1), ann(2)])
    add(book, [ann(3, 43)])
    add(book, [ann(1, 43)])
    one, other = page.person(NAME), page.person("contact 43 of user 7")
    shown = page.ask("GET", f"/people/{one}")["page"]["results"]
    (both,) = [each["id"] for each in shown if each["image"] == image_of(stage, 1)]
    stage.people.move("default", [both], other)
    stage.people.reject("default", other, [both])
    stage.people.move("default", [both], one)

    book.delete_faces(USER, CONTACT, [ann(1)])

    assert page.named() == {NAME: 1, "contact 43 of user 7": 1}


def test_a_merged_contact_is_the_other_person_until_undone(book: Contacts, page: Page, stage: Stage) -> None:
    for face_id in (1, 2):
        scan(stage, face_id)
    known = page.people()[0]["id"]
    page.ask("PATCH", f"/people/{known}", {"name": "Ann"})
    add(book, [ann(3)])
    page.ask("POST", f"/people/{page.person(NAME)}/merge", {"into": known})
    add(book, [ann(4)])
    assert page.named() == {"Ann": 4}
    page.ask("POST", "/people/undo")
    assert page.named() == {"Ann": 3, NAME: 1}
    add(book, [ann(5)])
    assert page.named() == {"Ann": 3, NAME: 2}
    page.ask("POST", f"/people/{page.person(NAME)}/merge", {"into": known})
    book.delete_contact(USER, CONTACT)
    assert page.named() == {"Ann": 2}
    page.ask("POST", "/people/undo")
    assert page.named() == {"Ann": 2}


def test_a_person_merged_into_a_contact_does_not_go_with_it(book: Contacts, page: Page, stage: Stage) -> None:
    for face_id in (1, 2):
        scan(stage, face_id)
    known = page.people()[0]["id"]
    page.ask("PATCH", f"/people/{known}", {"name": "Ann"})
    add(book, [ann(3)])
    page.ask("POST", f"/people/{known}/merge", {"into": page.person(NAME)})
    assert page.named() == {"Ann": 3}
    book.delete_contact(USER, CONTACT)
    assert page.named() == {"Ann": 2}


# ---------------------------------------------------------------- erased there


def test_galleries_have_the_faces_of_contacts_and_what_is_dropped_there_is_gone(
    book: Contacts, page: Page, databases: RedisDatabases
) -> None:
    add(book, [ann(1), ann(2), ann(3)])
    galleries = RedisFaceBook(databases)
    shown = galleries.page("default", DEFAULT_GALLERY, Bounds(), 10).ids
    assert len(shown) == 3
    dropped = min(shown)
    galleries.drop("default", dropped, 0.6)
    assert len(book.get_faces(USER)) == 2
    assert page.named() == {NAME: 2}
    (person,) = page.people()
    assert dropped not in [each["id"] for each in page.ask("GET", f"/people/{person['id']}")["page"]["results"]]


def test_erasing_a_picture_takes_the_face_from_contact_and_person(book: Contacts, page: Page, stage: Stage) -> None:
    add(book, [ann(1), ann(2), face(USER, CONTACT, 3, face_url())])
    page.ask("DELETE", f"/images/{image_of(stage, 1)}")
    assert page.named() == {NAME: 1}
    assert [each["face_id"] for each in book.get_faces(USER)] == [2, 3]
    page.ask("DELETE", f"/images/{image_of(stage, 2)}")
    assert page.people() == []
    assert [each["face_id"] for each in book.get_faces(USER)] == [3]
    add(book, [ann(1)])
    assert page.named() == {NAME: 1}


def test_a_vanished_person_leaves_the_contact_and_the_next_face_makes_a_new_one(
    book: Contacts, page: Page, stage: Stage
) -> None:
    add(book, [ann(1)])
    person = page.person(NAME)
    page.ask("PATCH", f"/people/{person}", {"name": None})
    (found,) = page.ask("GET", f"/people/{person}")["page"]["results"]
    page.ask("POST", f"/faces/{found['id']}/person", {"person": None})
    assert page.people() == []
    page.ask("POST", "/people/undo")
    (same,) = page.people()
    assert (same["id"], same["contacts"]) == (person, [{"user_id": USER, "contact_id": CONTACT}])
    page.ask("POST", f"/faces/{found['id']}/person", {"person": None})
    add(book, [ann(2)])
    assert page.named() == {NAME: 1}
