"""The contacts contract: every case through the Python module and through REST, over the real Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from facerec import contacts
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases
from facerec.engine.fake import fake_encoding
from facerec.errors import BadParam, DeadlineExceeded, FetchFailed, NotFound, UnsupportedImage
from facerec.jobs import Reply, Request
from facerec.services.contacts import ContactBooks
from rest.replies import error_of
from tests.contact_worlds import OwnWorker, Pages, face, face_url, open_books
from tests.faces import scan_job
from tests.front import Front
from tests.services_client import ServicesClient
from tests.stopwatch import stopwatch

USER, CONTACT, OTHER = 7, 42, 43
Document = dict[str, Any]


class Api(Protocol):
    """The functions of the contract."""

    def add_faces(
        self, user_id: Any, contact_id: Any, faces: Any, timeout: Any = None
    ) -> dict[str, list[Document]]: ...
    def delete_faces(
        self, user_id: Any, contact_id: Any, faces: Any, timeout: Any = None
    ) -> dict[str, list[Document]]: ...
    def delete_contact(self, user_id: int, contact_id: int) -> dict[str, list[Document]]: ...
    def delete_user(self, user_id: int) -> dict[str, list[Document]]: ...
    def get_faces(self, user_id: Any, contact_id: Any = None) -> list[Document]: ...
    def recognize_face(self, user_id: int, face_url: Any, timeout: Any = None) -> list[Document] | None: ...
    def recognition_feedback(self, recognize_id: int, result: Any) -> None: ...
    def recognition_stats(self, user_id: int | None = None) -> dict[str, int]: ...
    def recognition_stat_details(self, user_id: int | None = None, limit: int = 1000) -> list[Document]: ...


class Rest:
    """The functions over HTTP; an error answer raises the error that it names."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def _ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        answer = self._client.open(path, method=method, json=body, query_string=given)
        if answer.status_code >= 400:
            raise error_of(answer.get_json())
        return answer.get_json() if answer.status_code != 204 else None

    def _faces(self, user_id: Any, contact_id: Any) -> str:
        return f"/users/{quote(str(user_id))}/contacts/{quote(str(contact_id))}/faces"

    def add_faces(self, user_id: Any, contact_id: Any, faces: Any, timeout: Any = None) -> Any:
        return self._ask("POST", self._faces(user_id, contact_id), {"faces": faces}, timeout=timeout)

    def delete_faces(self, user_id: Any, contact_id: Any, faces: Any, timeout: Any = None) -> Any:
        return self._ask("DELETE", self._faces(user_id, contact_id), {"faces": faces}, timeout=timeout)

    def delete_contact(self, user_id: int, contact_id: int) -> Any:
        return self._ask("DELETE", f"/users/{user_id}/contacts/{contact_id}")

    def delete_user(self, user_id: int) -> Any:
        return self._ask("DELETE", f"/users/{user_id}")

    def get_faces(self, user_id: Any, contact_id: Any = None) -> Any:
        path = f"/users/{user_id}/faces" if contact_id is None else self._faces(user_id, contact_id)
        return self._ask("GET", path)

    def recognize_face(self, user_id: int, face_url: Any, timeout: Any = None) -> Any:
        return self._ask("POST", f"/users/{user_id}/recognize", {"face_url": face_url}, timeout=timeout)

    def recognition_feedback(self, recognize_id: int, result: Any) -> None:
        self._ask("PUT", f"/recognitions/{recognize_id}/feedback", {"result": result})

    def recognition_stats(self, user_id: int | None = None) -> Any:
        return self._ask("GET", "/recognitions/stats" if user_id is None else f"/users/{user_id}/recognitions/stats")

    def recognition_stat_details(self, user_id: int | None = None, limit: int = 1000) -> Any:
        path = "/recognitions" if user_id is None else f"/users/{user_id}/recognitions"
        return self._ask("GET", path, limit=limit)


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def worker(databases: RedisDatabases) -> OwnWorker:
    return OwnWorker(databases)


@pytest.fixture
def books(databases: RedisDatabases, pages: Pages, worker: OwnWorker) -> Iterator[ContactBooks]:
    opened = open_books(databases, pages, worker=worker)
    yield opened
    opened.close()


@pytest.fixture(params=["module", "rest"])
def api(request: pytest.FixtureRequest, books: ContactBooks) -> Iterator[Api]:
    if request.param == "rest":
        yield Rest(ServicesClient(Front(contacts=books).services))
        return
    contacts.use(books.of("default"))
    yield contacts
    contacts.use(None)


def ann(face_id: int, score: float = 0.5, **more: Any) -> Document:
    return face(USER, CONTACT, face_id, face_url("ann", tag=face_id), score, **more)


def bob(face_id: int, score: float = 0.5) -> Document:
    return face(USER, OTHER, face_id, face_url("bob", tag=face_id), score)


def near(person: str, distance: float, tag: object = "") -> str:
    """A picture of a face so far from the person's own encoding."""
    return face_url(person, each={"distance": distance}, tag=tag)


def ids(faces: Sequence[Document]) -> list[int]:
    return [each["face_id"] for each in faces]


def empty(result: dict[str, list[Document]], *but: str) -> bool:
    return all(not faces for name, faces in result.items() if name not in but)


# ---------------------------------------------------------------- adding


def test_an_added_face_comes_back_complete_and_the_callers_dictionary_is_not_changed(api: Api) -> None:
    given = ann(1, 0.75, external_id=99)
    before = dict(given)
    result = api.add_faces(USER, CONTACT, [given])
    assert set(result) == {"added", "deleted", "not_found", "error"}
    assert empty(result, "added")
    (added,) = result["added"]
    assert added == given | {"id": added["id"], "is_face": True}
    assert isinstance(added["id"], int)
    assert given == before
    assert api.get_faces(USER, CONTACT) == [added]


def test_ids_are_unique_over_users_and_contacts_and_never_change(api: Api) -> None:
    first = api.add_faces(USER, CONTACT, [ann(1), ann(2)])["added"]
    second = api.add_faces(USER, OTHER, [bob(1)])["added"]
    third = api.add_faces(8, CONTACT, [face(8, CONTACT, 1, face_url("ann", tag=1))])["added"]
    numbers = [each["id"] for each in (*first, *second, *third)]
    assert len(set(numbers)) == 4
    api.delete_faces(USER, CONTACT, [ann(2)])
    api.add_faces(USER, CONTACT, [ann(3)])
    assert api.get_faces(USER, CONTACT)[0] == first[0]


def test_a_second_add_changes_nothing_and_is_listed_as_not_found(api: Api) -> None:
    added = api.add_faces(USER, CONTACT, [ann(1)])["added"]
    result = api.add_faces(USER, CONTACT, [face(USER, CONTACT, 1, face_url("bob"), 0.9)])
    assert empty(result, "not_found")
    assert result["not_found"] == added
    assert api.get_faces(USER, CONTACT) == added


def test_a_face_twice_in_one_call_is_added_once(api: Api) -> None:
    result = api.add_faces(USER, CONTACT, [ann(1), ann(1)])
    assert result["added"] == result["not_found"]
    assert empty(result, "added", "not_found")


def test_one_face_id_under_another_contact_is_another_face(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    result = api.add_faces(USER, OTHER, [face(USER, OTHER, 1, face_url("ann", tag=1))])
    assert ids(result["added"]) == [1]
    assert len(api.get_faces(USER)) == 2


def test_an_empty_list_is_fine(api: Api) -> None:
    assert empty(api.add_faces(USER, CONTACT, []))
    assert empty(api.delete_faces(USER, CONTACT, []))
    assert api.get_faces(USER) == []


def test_a_picture_without_a_face_is_stored_and_never_recognised(api: Api, databases: RedisDatabases) -> None:
    nobody = face(USER, CONTACT, 1, face_url(), 1.0)
    result = api.add_faces(USER, CONTACT, [nobody])
    assert empty(result, "added")
    assert result["added"] == [nobody | {"id": result["added"][0]["id"], "is_face": False}]
    assert api.get_faces(USER) == result["added"]
    assert api.recognize_face(USER, face_url("ann")) == []
    assert api.add_faces(USER, CONTACT, [nobody])["not_found"] == result["added"]
    assert api.delete_faces(USER, CONTACT, [nobody])["deleted"] == result["added"]


def test_a_face_that_the_quality_filter_marked_counts_as_none(api: Api) -> None:
    marked = face(USER, CONTACT, 1, face_url("ann", each={"marks": ["BLURRED"]}))
    assert api.add_faces(USER, CONTACT, [marked])["added"][0]["is_face"] is False
    assert api.recognize_face(USER, face_url("ann")) == []
    assert api.recognize_face(USER, face_url("ann", each={"marks": ["BLURRED"]}, tag=2)) is None


def test_the_largest_face_of_a_picture_counts(api: Api) -> None:
    url = "http://faces.test/" + (
        '{"faces":[{"person":"bob","box":[0,50,50,0]},{"person":"ann","box":[0,200,100,100]},{"person":"eve","box":[0,90,40,50]}]}'
    )
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 1, url)])
    found = api.recognize_face(USER, face_url("ann"))
    assert found is not None
    assert found[0]["recognition_confidence"] > 0.99
    assert api.recognize_face(USER, face_url("bob"))[0]["recognition_confidence"] < 0.01  # type: ignore[index]
    assert api.recognize_face(USER, url[:-1] + ',"tag":"probe"}')[0]["recognition_confidence"] > 0.99  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"face_url": "http://nowhere.test/a.jpg"}, "FETCH_FAILED"),
        ({"face_url": "ftp://faces.test/a"}, "FETCH_FAILED"),
        ({"face_url": "http://broken.test/"}, "UNREADABLE_IMAGE"),
        ({"face_url": "http://empty.test/"}, "UNSUPPORTED_IMAGE"),
        ({"face_url": "http://a.test/" + "a" * 2048}, "BAD_PARAM"),
        ({"face_url": ""}, "BAD_PARAM"),
        ({"face_url": None}, "BAD_PARAM"),
        ({"face_url": 5}, "BAD_PARAM"),
        ({"face_url": "no url"}, "BAD_PARAM"),
        ({"user_id": 8}, "BAD_PARAM"),
        ({"contact_id": 8}, "BAD_PARAM"),
        ({"user_id": "7"}, "BAD_PARAM"),
        ({"contact_id": True}, "BAD_PARAM"),
        ({"face_id": "1"}, "BAD_PARAM"),
        ({"face_id": None}, "BAD_PARAM"),
        ({"face_id": 1.5}, "BAD_PARAM"),
        ({"face_id": 1 << 63}, "BAD_PARAM"),
        ({"external_id": "x"}, "BAD_PARAM"),
        ({"score": None}, "BAD_PARAM"),
        ({"score": "high"}, "BAD_PARAM"),
        ({"score": True}, "BAD_PARAM"),
    ],
)
def test_one_bad_face_is_told_why_and_stops_no_other(api: Api, pages: Pages, change: Document, code: str) -> None:
    pages.bodies |= {"http://broken.test/": b"BROKEN", "http://empty.test/": b""}
    bad = ann(1) | change
    result = api.add_faces(USER, CONTACT, [bad, ann(2)])
    assert ids(result["added"]) == [2]
    (error,) = result["error"]
    assert error["code"] == code
    assert error["reason"]
    assert error == bad | {"code": error["code"], "reason": error["reason"]}
    assert empty(result, "added", "error")
    assert ids(api.get_faces(USER)) == [2]


@pytest.mark.parametrize("missing", ["user_id", "contact_id", "face_id", "face_url", "external_id", "score"])
def test_a_face_must_have_every_key(api: Api, missing: str) -> None:
    lacking = ann(1)
    del lacking[missing]
    result = api.add_faces(USER, CONTACT, [lacking, ann(2)])
    assert ids(result["added"]) == [2]
    assert missing in result["error"][0]["reason"]


@pytest.mark.parametrize("nonsense", [None, 5, "face", ["face"]])
def test_what_is_no_face_at_all_is_an_error_of_its_own(api: Api, nonsense: Any) -> None:
    result = api.add_faces(USER, CONTACT, [nonsense, ann(2)])
    assert ids(result["added"]) == [2]
    assert result["error"][0]["face"] == nonsense
    assert api.delete_faces(USER, CONTACT, [nonsense])["error"][0]["face"] == nonsense


@pytest.mark.parametrize("number", [0, -1, (1 << 63) - 1, -(1 << 63)])
def test_ids_have_64_bits_and_a_sign(api: Api, number: int) -> None:
    result = api.add_faces(number, number, [face(number, number, number, face_url("ann"), external_id=number)])
    (added,) = result["added"]
    assert (added["user_id"], added["contact_id"], added["face_id"], added["external_id"]) == (number,) * 4
    assert api.recognize_face(number, face_url("ann"))[0]["face_id"] == number  # type: ignore[index]
    assert api.delete_user(number)["deleted"] == [added]


@pytest.mark.parametrize(("user", "contact"), [("x", 1), (1, "x"), (1.5, 1), (1 << 63, 1), (1, 1 << 64)])
def test_wrong_ids_of_a_whole_call_are_refused(api: Api, user: Any, contact: Any) -> None:
    for call in (api.add_faces, api.delete_faces):
        with pytest.raises(BadParam):
            call(user, contact, [])
    with pytest.raises(BadParam):
        api.get_faces(user, contact)


@pytest.mark.parametrize("faces", [None, {}, "faces", 5])
def test_faces_must_be_a_list(api: Api, faces: Any) -> None:
    with pytest.raises(BadParam):
        api.add_faces(USER, CONTACT, faces)


def test_faces_of_one_call_are_fetched_side_by_side_and_equal_urls_once(api: Api, pages: Pages) -> None:
    together = threading.Barrier(4)
    pages.before = lambda _url: (together.wait(20), None)[1]
    faces = [ann(n) for n in range(4)] + [face(USER, CONTACT, 9, face_url("ann", tag=0))]
    assert sorted(ids(api.add_faces(USER, CONTACT, faces)["added"])) == [0, 1, 2, 3, 9]
    assert len(pages.fetched) == 4


def test_after_the_time_limit_the_finished_part_is_there_and_the_rest_is_listed_with_the_reason(
    api: Api, pages: Pages, databases: RedisDatabases
) -> None:
    slow, free = face_url("ann", tag=1), threading.Event()
    pages.before = lambda url: (free.wait(20) if url == slow else None, None)[1]
    result = api.add_faces(USER, CONTACT, [ann(1), ann(2)], 1.0)
    assert ids(result["added"]) == [2]
    assert ids(result["error"]) == [1]
    assert result["error"][0]["code"] == "TIMEOUT"
    free.set()
    assert ids(api.get_faces(USER)) == [2]
    pages.before = lambda _url: None
    assert ids(api.add_faces(USER, CONTACT, [ann(1), ann(2)])["added"]) == [1]


def test_no_time_at_all_adds_nothing(api: Api) -> None:
    result = api.add_faces(USER, CONTACT, [ann(1)], 0)
    assert [error["code"] for error in result["error"]] == ["TIMEOUT"]
    assert empty(result, "error")


@pytest.mark.parametrize("ends", ["failed", "erased"])
def test_a_picture_that_another_job_has_in_hand_is_not_waited_for_when_that_job_is_given_up(
    databases: RedisDatabases, pages: Pages, ends: str
) -> None:
    admissions, commits = RedisAdmissions(databases), RedisCommits(databases)
    job = scan_job(admissions, "a.jpg", pages.fetch(face_url("ann", tag=1)))
    assert commits.begin([job])[0].verdict == "go"

    def end() -> None:
        if ends == "erased":
            admissions.erase(job.owner, job.hash)
        else:
            commits.fail(job, "TIME_LIMIT", "took longer than 120 s")

    opened = open_books(databases, pages, worker=OvertakingWorker(databases, end))
    with stopwatch() as watch:
        (error,) = opened.of(job.owner).add_faces(USER, CONTACT, [ann(1)], 20)["error"]
    opened.close()

    assert (error["face_id"], error["code"]) == (1, "CONFLICT" if ends == "erased" else "TIME_LIMIT")
    assert watch.seconds < 10


class OvertakingWorker(OwnWorker):
    """Somebody ends another job between its answer and what the caller does with it."""

    def __init__(self, databases: RedisDatabases, end: Callable[[], None]) -> None:
        super().__init__(databases)
        self._end = end

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        reply = super().call(request, is_gone)
        assert reply.document == {"state": "claimed"}
        self._end()
        return reply


# ---------------------------------------------------------------- deleting


def test_a_deleted_face_counts_no_longer_and_comes_back_whole(api: Api) -> None:
    added = api.add_faces(USER, CONTACT, [ann(1), ann(2)])["added"]
    result = api.delete_faces(USER, CONTACT, [ann(1)])
    assert result["deleted"] == added[:1]
    assert empty(result, "deleted")
    assert api.get_faces(USER) == added[1:]


def test_a_second_delete_and_an_unknown_face_are_not_found(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    assert ids(api.delete_faces(USER, CONTACT, [ann(1), ann(1)])["deleted"]) == [1]
    result = api.delete_faces(USER, CONTACT, [ann(1), ann(5)])
    assert result["not_found"] == [ann(1), ann(5)]
    assert empty(result, "not_found")
    assert empty(api.delete_faces(8, 9, [face(8, 9, 1, face_url("ann"))]), "not_found")


def test_a_face_can_be_deleted_by_its_id_within_its_contact_alone(api: Api) -> None:
    (mine,) = api.add_faces(USER, CONTACT, [ann(1)])["added"]
    (other,) = api.add_faces(USER, OTHER, [bob(1)])["added"]
    named = {"user_id": USER, "contact_id": CONTACT}
    assert api.delete_faces(USER, CONTACT, [named | {"id": other["id"]}])["not_found"]
    assert api.delete_faces(USER, CONTACT, [named | {"id": mine["id"]}])["deleted"] == [mine]
    assert api.get_faces(USER) == [other]


def test_a_face_to_delete_needs_ids_that_fit(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    wrong = [ann(1) | {"user_id": 8}, ann(1) | {"contact_id": OTHER}, {"user_id": USER, "contact_id": CONTACT}]
    result = api.delete_faces(USER, CONTACT, wrong)
    assert [error["code"] for error in result["error"]] == ["BAD_PARAM"] * 3
    assert empty(result, "error")
    assert len(api.get_faces(USER)) == 1


def test_delete_contact_deletes_all_its_faces_and_no_others(api: Api) -> None:
    gone = api.add_faces(USER, CONTACT, [ann(2), ann(1)])["added"]
    kept = api.add_faces(USER, OTHER, [bob(1)])["added"]
    result = api.delete_contact(USER, CONTACT)
    assert sorted(result["deleted"], key=lambda each: each["face_id"]) == sorted(gone, key=lambda each: each["face_id"])
    assert empty(result, "deleted")
    assert api.get_faces(USER) == kept
    assert empty(api.delete_contact(USER, CONTACT))
    assert api.get_faces(USER, CONTACT) == []


def test_delete_user_deletes_everything_of_it_and_nothing_of_others(api: Api) -> None:
    added = api.add_faces(USER, CONTACT, [ann(1)])["added"] + api.add_faces(USER, OTHER, [bob(1)])["added"]
    kept = api.add_faces(8, CONTACT, [face(8, CONTACT, 1, face_url("ann", tag=1))])["added"]
    api.recognize_face(USER, face_url("ann"))
    result = api.delete_user(USER)
    assert result["deleted"] == added
    assert empty(result, "deleted")
    assert api.get_faces(USER) == []
    assert api.recognize_face(USER, face_url("ann")) == []
    assert api.get_faces(8) == kept
    assert api.recognition_stats()["recognize_calls"] == 1
    assert empty(api.delete_user(9))


def test_a_deleted_face_can_be_added_again_and_is_a_new_one(api: Api) -> None:
    (first,) = api.add_faces(USER, CONTACT, [ann(1)])["added"]
    api.delete_faces(USER, CONTACT, [ann(1)])
    (second,) = api.add_faces(USER, CONTACT, [ann(1)])["added"]
    assert second["id"] != first["id"]
    assert second | {"id": 0} == first | {"id": 0}


# ---------------------------------------------------------------- getting


def test_faces_come_by_contact_and_face_and_only_those_of_the_user(api: Api) -> None:
    api.add_faces(USER, OTHER, [bob(2), bob(1)])
    api.add_faces(USER, CONTACT, [ann(3)])
    api.add_faces(8, 1, [face(8, 1, 1, face_url("eve"))])
    assert [(each["contact_id"], each["face_id"]) for each in api.get_faces(USER)] == [
        (CONTACT, 3),
        (OTHER, 1),
        (OTHER, 2),
    ]
    assert ids(api.get_faces(USER, OTHER)) == [1, 2]
    assert api.get_faces(USER, 999) == []
    assert api.get_faces(999) == []


# ---------------------------------------------------------------- recognising


def test_the_answer_is_none_without_a_face_and_an_error_without_a_picture(api: Api, pages: Pages) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    assert api.recognize_face(USER, face_url()) is None
    pages.bodies["http://empty.test/"] = b""
    with pytest.raises(UnsupportedImage):
        api.recognize_face(USER, "http://empty.test/")
    with pytest.raises(FetchFailed):
        api.recognize_face(USER, "http://nowhere.test/")
    for url in (5, None, "", "http://a.test/" + "a" * 2048):
        with pytest.raises(BadParam):
            api.recognize_face(USER, url)
    assert api.recognize_face(999, face_url("ann")) == []


def test_a_probe_leaves_nothing_in_the_core(api: Api, databases: RedisDatabases) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    api.recognize_face(USER, face_url("ann", tag="probe"))
    images, _ = RedisAdmissions(databases).images("default", None, None, 50, "")
    assert [image["names"] for image in images] == [[ann(1)["face_url"]]]


def test_three_answers_are_three_contacts_each_with_its_best_face(api: Api) -> None:
    for contact, distance in ((1, 0.6), (2, 0.1), (3, 0.3), (4, 0.5)):
        faces = [face(USER, contact, n, near("ann", distance, f"{contact} {n}")) for n in range(2)]
        api.add_faces(USER, contact, [*faces, face(USER, contact, 7, face_url(f"someone {contact}"))])
    found = api.recognize_face(USER, face_url("ann"))
    assert found is not None
    assert [each["contact_id"] for each in found] == [2, 3, 4]
    assert ids(found) == [0, 0, 0]
    sure = [each["recognition_confidence"] for each in found]
    assert sure == sorted(sure, reverse=True)
    assert all(0 <= each <= 1 for each in sure)
    assert set(found[0]) - {"recognition_confidence", "recognize_id"} == set(api.get_faces(USER)[0])


def test_the_deciding_point_is_a_half(api: Api) -> None:
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 1, face_url("ann"))])
    assert api.recognize_face(USER, near("ann", 0.549))[0]["recognition_confidence"] > 0.5  # type: ignore[index]
    assert api.recognize_face(USER, near("ann", 0.551))[0]["recognition_confidence"] < 0.5  # type: ignore[index]


def test_the_best_face_represents_its_cluster_and_only_representatives_are_searched(api: Api) -> None:
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 1, face_url("ann", tag=1), 0.2)])
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 2, near("ann", 0.3), 0.9)])
    (found,) = api.recognize_face(USER, face_url("ann", tag="probe")) or []
    assert found["face_id"] == 2
    assert found["recognition_confidence"] == pytest.approx(0.998, abs=0.001)
    api.delete_faces(USER, CONTACT, [found])
    (found,) = api.recognize_face(USER, face_url("ann", tag="probe")) or []
    assert found["face_id"] == 1
    assert found["recognition_confidence"] > 0.99999


def test_of_equal_scores_the_lowest_id_represents(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(9, 0.5)])
    api.add_faces(USER, CONTACT, [ann(1, 0.5)])
    (found,) = api.recognize_face(USER, face_url("ann", tag="probe")) or []
    assert found["face_id"] == 9


def test_faces_of_unlike_appearance_each_have_a_representative(api: Api) -> None:
    beard = face(USER, CONTACT, 2, face_url("ann with a beard"), 0.1)
    api.add_faces(USER, CONTACT, [ann(1, 0.9), beard])
    for person, expected in (("ann", 1), ("ann with a beard", 2)):
        (found,) = api.recognize_face(USER, face_url(person, tag="probe")) or []
        assert (found["face_id"], found["recognition_confidence"] > 0.99) == (expected, True)


def test_another_users_contacts_never_appear(api: Api, books: ContactBooks) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    api.add_faces(8, CONTACT, [face(8, CONTACT, 1, face_url("bob"))])
    assert {each["user_id"] for each in api.recognize_face(8, face_url("ann")) or []} == {8}
    assert books.of("other").recognize_face(USER, face_url("ann")) == []
    assert books.of("other").get_faces(USER) == []


# ---------------------------------------------------------------- feedback


def test_feedback_is_counted_and_can_be_changed(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    api.add_faces(USER, OTHER, [bob(1)])
    assert api.recognize_face(USER, face_url()) is None
    first, second = (api.recognize_face(USER, face_url("ann", tag=tag))[0]["recognize_id"] for tag in "ab")  # type: ignore[index]
    api.recognize_face(8, face_url("ann"))
    counts = {"recognize_calls": 2, "feedback_calls": 0, "true_positives": 0, "false_positives": 0}
    assert api.recognition_stats(USER) == counts
    api.recognition_feedback(first, 1)
    api.recognition_feedback(second, None)
    assert api.recognition_stats(USER) == counts | {"feedback_calls": 2, "true_positives": 1, "false_positives": 1}
    api.recognition_feedback(second, 2)
    api.recognition_feedback(second, 2)
    assert api.recognition_stats(USER) == counts | {"feedback_calls": 2, "true_positives": 2}
    assert api.recognition_stats() == counts | {"recognize_calls": 3, "feedback_calls": 2, "true_positives": 2}
    details = api.recognition_stat_details(USER)
    assert [each["recognize_id"] for each in details] == [second, first]
    assert (details[0]["feedback_received"], details[0]["recognized"], details[0]["feedback_result"]) == (True, True, 2)
    assert details[0]["face_url"] == face_url("ann", tag="b")
    assert [each["contact_id"] for each in details[0]["candidates"]] == [CONTACT, OTHER]
    assert len(api.recognition_stat_details(limit=1)) == 1


def test_a_user_leaves_whose_counts_are_back_at_nought(api: Api) -> None:
    """Feedback that was changed leaves a 0, which has to be taken from the sums like all others."""
    api.add_faces(USER, CONTACT, [ann(1)])
    (found,) = api.recognize_face(USER, face_url("ann")) or []
    api.recognize_face(8, face_url("ann"))
    for result in (1, None):
        api.recognition_feedback(found["recognize_id"], result)
    assert len(api.delete_user(USER)["deleted"]) == 1
    assert api.recognition_stats(USER) == dict.fromkeys(api.recognition_stats(USER), 0)
    assert api.recognition_stats()["recognize_calls"] == 1
    assert api.recognition_stat_details(USER) == []


def test_feedback_must_fit_its_answer(api: Api) -> None:
    api.add_faces(USER, CONTACT, [ann(1)])
    (found,) = api.recognize_face(USER, face_url("ann")) or []
    for wrong in (0, 2, 4, -1, "1", True, 1.5):
        with pytest.raises(BadParam):
            api.recognition_feedback(found["recognize_id"], wrong)
    with pytest.raises(NotFound):
        api.recognition_feedback(found["recognize_id"] + 1, 1)
    assert api.recognition_stats()["feedback_calls"] == 0


# ---------------------------------------------------------------- one truth


def test_faces_of_contacts_are_images_of_the_owner_until_no_contact_needs_them(
    api: Api, databases: RedisDatabases
) -> None:
    admissions = RedisAdmissions(databases)

    def names() -> list[str]:
        images, _ = admissions.images("default", "done", None, 50, "")
        return sorted(name for image in images for name in image["names"])

    shared = face_url("ann", tag=1)
    api.add_faces(USER, CONTACT, [ann(1), ann(2)])
    api.add_faces(8, 1, [face(8, 1, 1, shared)])
    assert names() == [face_url("ann", tag=1), face_url("ann", tag=2)]
    api.delete_user(USER)
    assert names() == [shared]
    assert api.recognize_face(8, face_url("ann", tag="probe"))[0]["recognition_confidence"] > 0.99  # type: ignore[index]
    api.delete_contact(8, 1)
    assert names() == []


def test_an_image_that_was_there_before_stays(api: Api, databases: RedisDatabases, worker: OwnWorker) -> None:
    url = face_url("ann", tag=1)
    open_books_of_someone = open_books(databases, Pages(), worker=worker)
    open_books_of_someone.of("default").add_faces(99, 1, [face(99, 1, 1, url)])
    RedisAdmissions(databases).admit("default", image_of(databases, url), "holiday.jpg")
    api.add_faces(USER, CONTACT, [ann(1)])
    api.delete_user(USER)
    api.delete_user(99)
    assert RedisAdmissions(databases).image("default", image_of(databases, "holiday.jpg")) is not None
    open_books_of_someone.close()


def image_of(databases: RedisDatabases, name: str) -> str:
    found = RedisAdmissions(databases).known_url("default", name)
    assert found
    return found


def test_erasing_an_image_takes_its_faces_out_of_the_contacts(api: Api, databases: RedisDatabases) -> None:
    added = api.add_faces(USER, CONTACT, [ann(1, 0.9), ann(2, 0.1)])["added"]
    api.add_faces(USER, OTHER, [bob(1)])
    api.recognize_face(USER, face_url("ann", tag="probe"))
    admissions = RedisAdmissions(databases)
    admissions.erase("default", image_of(databases, face_url("ann", tag=1)))
    assert api.get_faces(USER, CONTACT) == added[1:]
    (best, _) = api.recognize_face(USER, face_url("ann", tag="probe")) or []
    assert (best["face_id"], best["recognition_confidence"] > 0.99) == (2, True)
    admissions.erase("default", image_of(databases, bob(1)["face_url"]))
    assert api.get_faces(USER, OTHER) == []
    assert len(api.recognize_face(USER, face_url("bob", tag="probe")) or []) == 1
    assert api.add_faces(USER, CONTACT, [ann(1)])["added"][0]["is_face"]


def test_what_a_failed_call_brought_is_not_left_behind(api: Api, pages: Pages, databases: RedisDatabases) -> None:
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 1, face_url())])
    pages.bodies["http://broken.test/"] = b"BROKEN"
    api.add_faces(USER, CONTACT, [face(USER, CONTACT, 2, "http://broken.test/")])
    assert RedisAdmissions(databases).images("default", None, None, 50, "") == ([], "")
    left = [key for key in databases.client().keys("*") if b"image:" in key or b"loose" in key]
    assert left == []


def test_a_timeout_must_be_a_sensible_number(api: Api) -> None:
    for wrong in (-1, 1e9, "soon"):
        with pytest.raises(BadParam):
            api.add_faces(USER, CONTACT, [ann(1)], wrong)


def test_while_another_call_has_the_user_the_time_may_run_out(api: Api, books: ContactBooks, pages: Pages) -> None:
    inside, free = threading.Event(), threading.Event()

    def hold(url: str) -> None:
        if url == face_url("slow"):
            inside.set()
            free.wait(20)

    pages.before = hold
    slow = threading.Thread(target=lambda: books.of("default").add_faces(USER, 1, [face(USER, 1, 1, face_url("slow"))]))
    slow.start()
    assert inside.wait(20)
    with pytest.raises(DeadlineExceeded):
        api.add_faces(USER, CONTACT, [ann(1)], 0.2)
    assert ids(api.add_faces(8, CONTACT, [face(8, CONTACT, 1, face_url("ann"))])["added"]) == [1]
    free.set()
    slow.join(20)
    assert ids(api.get_faces(USER)) == [1]


def test_rest_refuses_what_it_does_not_know(books: ContactBooks) -> None:
    client = ServicesClient(Front(contacts=books).services)
    assert client.post("/users/1/contacts/2/faces", json={"faces": [], "more": 1}).status_code == 400
    assert client.post("/users/1/contacts/2/faces", data=b"{").get_json()["code"] == "MALFORMED_JSON"
    assert client.get("/users/1/faces?x=1").status_code == 400
    assert client.delete("/users/one").get_json()["param"] == "user_id"
    answer = client.post("/users/1/recognize", json={"face_url": face_url("ann")})
    assert answer.get_json() == []
    assert answer.headers["X-Recognize-Id"].isdecimal()


def test_encodings_of_the_fake_engine_are_as_far_apart_as_said() -> None:
    assert abs(float(((fake_encoding("ann") - fake_encoding("ann", 0.3)) ** 2).sum()) - 0.09) < 1e-5
