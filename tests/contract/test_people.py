"""Operations on persons over a real Redis: each one whole, each one undone, and erasure in the same step as the image."""

from __future__ import annotations

from typing import Any

import pytest

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN
from facerec.adapters.redis.people_check import check_people
from facerec.errors import BadParam, Conflict, NotFound
from facerec.faces import Analysis, Mark
from facerec.identity import DEFAULT_OWNER
from facerec.services.people import check_person_name
from tests.faces import face
from tests.people_stage import Scene, Stage

ME = DEFAULT_OWNER
FAR = 10.0


@pytest.fixture
def stage(databases: RedisDatabases) -> Stage:
    """Every test ends with people that hold together."""
    return Stage(databases)


@pytest.fixture(autouse=True)
def _whole(stage: Stage) -> Any:
    yield
    assert list(check_people(stage.databases)) == []


@pytest.fixture
def ann(stage: Stage) -> list[Scene]:
    """Three pictures of person 1."""
    return together(stage, 0.0)


@pytest.fixture
def bea(stage: Stage, ann: list[Scene]) -> list[Scene]:
    """Three pictures of person 2."""
    return together(stage, FAR)


def together(stage: Stage, at: float, count: int = 3) -> list[Scene]:
    scenes = [stage.scan(at + 0.05 * n) for n in range(count)]
    stage.group()
    return scenes


def faces_of(scenes: list[Scene]) -> list[int]:
    return [scene.faces[0] for scene in scenes]


def document(stage: Stage, person: int, **expected: Any) -> None:
    found = stage.people.person(ME, person)
    assert {name: found[name] for name in expected} == expected


def test_a_person_as_it_is_told(stage: Stage, ann: list[Scene]) -> None:
    document(stage, 1, id=1, name=None, hidden=False, faces=3, cover=ann[0].faces[0], same_name=[])
    with pytest.raises(NotFound):
        stage.people.person(ME, 99)
    with pytest.raises(NotFound):
        stage.people.person("bob", 1)


def test_naming_and_taking_the_name_back(stage: Stage, ann: list[Scene]) -> None:
    stage.people.edit(ME, 1, name="  Ann ")
    document(stage, 1, name="Ann")
    stage.people.edit(ME, 1, name="")
    document(stage, 1, name=None)
    for _ in range(2):
        stage.people.undo(ME)
    document(stage, 1, name=None)
    with pytest.raises(NotFound, match="nothing"):
        stage.people.undo(ME)


@pytest.mark.parametrize("name", ["   ", "a\x1fb", "a\nb", "x" * 201])
def test_names_that_are_refused(stage: Stage, ann: list[Scene], name: str) -> None:
    with pytest.raises(BadParam):
        stage.people.edit(ME, 1, name=name)


def test_two_people_may_have_one_name_and_are_told_so(stage: Stage, bea: list[Scene]) -> None:
    stage.people.edit(ME, 1, name="Kim")
    stage.people.edit(ME, 2, name="Kim")
    document(stage, 1, same_name=[2])
    document(stage, 2, same_name=[1])
    together(stage, 2 * FAR)
    stage.people.edit(ME, 3, name="Kimberley")
    document(stage, 3, same_name=[])


def test_cover_and_hidden(stage: Stage, ann: list[Scene], bea: list[Scene]) -> None:
    stage.people.edit(ME, 1, cover=ann[2].faces[0], hidden=True)
    document(stage, 1, cover=ann[2].faces[0], hidden=True)
    with pytest.raises(BadParam):
        stage.people.edit(ME, 1, cover=bea[0].faces[0])
    stage.erase(ann[2])
    document(stage, 1, cover=ann[0].faces[0], hidden=True, faces=2)
    stage.people.undo(ME)
    document(stage, 1, cover=ann[0].faces[0], hidden=False)


def test_doing_nothing_is_not_remembered(stage: Stage, ann: list[Scene]) -> None:
    stage.people.edit(ME, 1, hidden=False)
    stage.people.move(ME, ann[0].faces, 1)
    assert stage.people.history(ME) == []


def test_merging_an_unnamed_into_a_named_keeps_the_name_and_so_does_the_other_way(
    stage: Stage, bea: list[Scene]
) -> None:
    stage.people.edit(ME, 1, name="Ann")
    for source, target in ((1, 2), (2, 1)):
        stage.people.merge(ME, source, target)
        document(stage, target, name="Ann", faces=6)
        with pytest.raises(NotFound, match=f"merged into {target}"):
            stage.people.person(ME, source)
        stage.people.undo(ME)
        document(stage, 1, name="Ann", faces=3)
        document(stage, 2, name=None, faces=3)


def test_two_names_need_a_choice(stage: Stage, bea: list[Scene]) -> None:
    stage.people.edit(ME, 1, name="Ann")
    stage.people.edit(ME, 2, name="Bea")
    with pytest.raises(Conflict, match=r"'Ann'.*'Bea'"):
        stage.people.merge(ME, 1, 2)
    stage.people.merge(ME, 1, 2, "Ann")
    document(stage, 2, name="Ann", faces=6)
    stage.people.undo(ME)
    document(stage, 1, name="Ann", faces=3)
    document(stage, 2, name="Bea", faces=3)


def test_merging_what_cannot_be_merged(stage: Stage, ann: list[Scene]) -> None:
    with pytest.raises(BadParam):
        stage.people.merge(ME, 1, 1)
    for source, target in ((1, 99), (99, 1)):
        with pytest.raises(NotFound):
            stage.people.merge(ME, source, target)


def test_splitting(stage: Stage, ann: list[Scene]) -> None:
    new = stage.people.split(ME, 1, ann[1].faces)
    document(stage, new, faces=1, cover=ann[1].faces[0])
    document(stage, 1, faces=2)
    stage.people.undo(ME)
    document(stage, 1, faces=3)
    with pytest.raises(NotFound):
        stage.people.person(ME, new)


def test_splitting_what_cannot_be_split(stage: Stage, ann: list[Scene], bea: list[Scene]) -> None:
    for faces in (faces_of(ann), bea[0].faces, []):
        with pytest.raises(BadParam, match=r"left|not one of|needed"):
            stage.people.split(ME, 1, faces)
    with pytest.raises(NotFound, match="no face"):
        stage.people.split(ME, 1, [999 * 4096])
    with pytest.raises(NotFound, match="no person"):
        stage.people.split(ME, 99, ann[0].faces)


def test_moving_a_face_to_somebody_to_nobody_and_to_someone_new(
    stage: Stage, ann: list[Scene], bea: list[Scene]
) -> None:
    (moved,) = ann[0].faces
    assert stage.people.move(ME, [moved], 2) == 2
    assert stage.people.move(ME, [moved], None) is None
    assert stage.placed()[moved] is None
    new = stage.people.move(ME, [moved], None, new=True)
    assert stage.placed()[moved] == new
    for expected in (None, 2, 1):
        stage.people.undo(ME)
        assert stage.placed()[moved] == expected
    with pytest.raises(NotFound):
        stage.people.move(ME, [moved], 99)


def test_a_face_that_takes_no_part_can_be_given_to_a_person(stage: Stage, ann: list[Scene]) -> None:
    blurred = stage.scan(faces=Analysis(9, 9, face(0.0).model, (face(0.01, marks=frozenset({Mark.BLURRED})),)))
    stage.group()
    assert blurred.faces[0] not in stage.placed()
    stage.people.move(ME, blurred.faces, 1)
    assert stage.placed()[blurred.faces[0]] == 1
    stage.people.undo(ME)
    assert blurred.faces[0] not in stage.placed()


def test_a_face_given_to_a_person_before_the_grouping_came_stays_there(stage: Stage, bea: list[Scene]) -> None:
    early = stage.scan(0.01)
    stage.people.move(ME, early.faces, 2)
    stage.group()
    assert stage.placed()[early.faces[0]] == 2


def test_not_this_person_is_kept_and_honoured(stage: Stage, ann: list[Scene]) -> None:
    wrong = stage.scan(0.02)
    stage.group()
    assert stage.person_of(wrong) == 1
    stage.people.reject(ME, 1, wrong.faces)
    for _ in range(3):
        stage.scan(0.03)
        stage.group()
    assert stage.placed()[wrong.faces[0]] is None
    document(stage, 1, faces=6)


def test_a_rejected_face_may_found_somebody_else(stage: Stage, ann: list[Scene]) -> None:
    wrong = [stage.scan(0.30), stage.scan(0.31)]
    stage.group()
    stage.people.reject(ME, 1, faces_of(wrong))
    third = stage.scan(0.60)
    stage.group()
    assert stage.person_of(third) != 1
    assert stage.person_of(third) == stage.person_of(wrong[0]) == stage.person_of(wrong[1])


def test_the_newest_word_counts(stage: Stage, ann: list[Scene]) -> None:
    stage.people.reject(ME, 1, ann[0].faces)
    stage.people.move(ME, ann[0].faces, 1)
    assert stage.databases.client(OWN).exists(f"face:{ann[0].faces[0]}:not") == 0
    stage.people.undo(ME)
    assert stage.databases.client(OWN).smembers("person:1:not") == {str(ann[0].faces[0]).encode()}
    stage.people.undo(ME)
    assert stage.databases.client(OWN).exists("person:1:not") == 0
    document(stage, 1, faces=3)


def test_a_merge_carries_not_this_person_along_and_tells_contradictions(
    stage: Stage, ann: list[Scene], bea: list[Scene]
) -> None:
    stage.people.reject(ME, 1, ann[0].faces)
    stage.people.reject(ME, 1, ann[1].faces)
    stage.people.move(ME, ann[1].faces, 2)
    assert stage.people.merge(ME, 1, 2) == ann[1].faces
    assert stage.databases.client(OWN).smembers("person:2:not") == {str(ann[0].faces[0]).encode()}
    stage.people.undo(ME)
    assert stage.databases.client(OWN).smembers("person:1:not") == {str(n).encode() for n in faces_of(ann[:2])}
    assert stage.databases.client(OWN).exists("person:2:not") == 0


def test_rejecting_everything_dissolves_an_unnamed_person(stage: Stage, ann: list[Scene]) -> None:
    stage.people.reject(ME, 1, faces_of(ann))
    with pytest.raises(NotFound):
        stage.people.person(ME, 1)
    stage.people.undo(ME)
    document(stage, 1, faces=3, created_at=stage.people.person(ME, 1)["created_at"])


def test_a_named_person_stays_without_faces_until_its_name_goes(stage: Stage, ann: list[Scene]) -> None:
    stage.people.edit(ME, 1, name="Ann")
    for scene in ann:
        stage.erase(scene)
    document(stage, 1, name="Ann", faces=0, cover=None)
    stage.people.edit(ME, 1, name="")
    with pytest.raises(NotFound):
        stage.people.person(ME, 1)
    stage.people.undo(ME)
    document(stage, 1, name="Ann", faces=0)


def test_an_unnamed_person_vanishes_with_its_last_face(stage: Stage, ann: list[Scene]) -> None:
    for scene in ann:
        stage.erase(scene)
    with pytest.raises(NotFound):
        stage.people.person(ME, 1)
    assert stage.placed() == {}


def test_erasure_leaves_nothing_of_the_faces(stage: Stage, ann: list[Scene]) -> None:
    stage.people.reject(ME, 1, ann[0].faces)
    stage.erase(ann[0])
    client = stage.databases.client(OWN)
    face_id = str(ann[0].faces[0]).encode()
    assert [key for key in client.scan_iter() if face_id in key] == []
    assert client.exists("person:1:not", "faces:strays") == 0
    assert client.zscore("faces:unknown", face_id) is None
    assert client.hexists("faces:person", face_id) == 0


def test_undo_gives_back_what_is_still_there(stage: Stage, ann: list[Scene], bea: list[Scene]) -> None:
    stage.people.merge(ME, 1, 2)
    stage.erase(ann[0])
    assert stage.people.undo(ME) == {"operation": "merge", "persons": [1, 2], "faces": 2}
    document(stage, 1, faces=2)
    document(stage, 2, faces=3)


def test_undo_refuses_what_erasure_has_made_impossible_and_says_why(
    stage: Stage, ann: list[Scene], bea: list[Scene]
) -> None:
    stage.people.edit(ME, 2, hidden=True)
    stage.people.merge(ME, 1, 2)
    for scene in ann:
        stage.erase(scene)
    with pytest.raises(Conflict, match=r"merge.*erased"):
        stage.people.undo(ME)
    stage.people.undo(ME)
    document(stage, 2, hidden=False)


def test_undo_leaves_what_the_grouping_placed_since(stage: Stage, ann: list[Scene]) -> None:
    new = stage.people.split(ME, 1, ann[2].faces)
    stage.people.edit(ME, new, name="Bea")
    stage.people.merge(ME, new, 1)
    later = stage.scan(0.03)
    stage.group()
    assert stage.person_of(later) == 1
    stage.people.undo(ME)
    document(stage, 1, faces=3, name=None)
    document(stage, new, faces=1, name="Bea")


def test_the_history_is_bounded_and_told(stage: Stage, ann: list[Scene]) -> None:
    for n in range(105):
        stage.people.edit(ME, 1, name=f"Ann {n}")
    history = stage.people.history(ME)
    assert len(history) == 100
    assert (history[0]["operation"], history[0]["persons"]) == ("edit", [1])
    for _ in range(100):
        stage.people.undo(ME)
    document(stage, 1, name="Ann 4")


def test_an_operation_sent_twice_is_done_once(stage: Stage, ann: list[Scene]) -> None:
    arguments = ["", "token", "1.0", "give", "split", "1", "new", "", "1", str(ann[0].faces[0])]
    first = stage.databases.call("people_move", *arguments)
    assert stage.databases.call("people_move", *arguments) == first
    assert len(stage.people.history(ME)) == 1
    undo = ["", "another", "1.0"]
    assert stage.databases.call("people_undo", *undo) == stage.databases.call("people_undo", *undo)
    document(stage, 1, faces=3)


def test_pages_of_persons_by_size(stage: Stage) -> None:
    for n, count in enumerate((2, 5, 3, 5)):
        together(stage, FAR * n, count)
    stage.people.edit(ME, 3, name="Cem")
    stage.people.edit(ME, 1, hidden=True)
    seen, cursor = [], ""
    while True:
        page, cursor = stage.people.people(ME, named=None, hidden=False, name=None, limit=1, cursor=cursor)
        seen += [(person["id"], person["faces"]) for person in page]
        if not cursor:
            break
    assert seen == [(4, 5), (2, 5), (3, 3)]

    def ids(**chosen: Any) -> list[int]:
        choice = {"named": None, "hidden": False, "name": None, "limit": 10, "cursor": ""} | chosen
        return [person["id"] for person in stage.people.people(ME, **choice)[0]]

    assert ids(named=True) == [3]
    assert ids(named=False) == [4, 2]
    assert ids(hidden=True) == [1]
    for cursor in ("x", "1:2", "0" * 27):
        with pytest.raises(BadParam):
            ids(cursor=cursor)
    # Figures of other scripts are figures to Python, and not to Redis.
    for order, cursor in (("time", "x"), ("time", "١"), ("group", "-/x"), ("group", "-/١")):
        with pytest.raises(BadParam):
            stage.people.unknown(ME, order, 10, cursor)


def test_pages_of_persons_by_name(stage: Stage) -> None:
    for n in range(4):
        together(stage, FAR * n)
    for person, name in ((1, "Ann"), (2, "Anna"), (3, "Bea"), (4, "Ann")):
        stage.people.edit(ME, person, name=name)
    choice: dict[str, Any] = {"named": None, "hidden": False, "limit": 2}
    page, cursor = stage.people.people(ME, name="An", cursor="", **choice)
    assert [person["id"] for person in page] == [1, 4]
    page, cursor = stage.people.people(ME, name="An", cursor=cursor, **choice)
    assert ([person["id"] for person in page], cursor) == ([2], "")
    with pytest.raises(BadParam):
        stage.people.people(ME, name="An", cursor="zz", **choice)


def test_names_are_stored_and_searched_in_one_form(stage: Stage, ann: list[Scene], bea: list[Scene]) -> None:
    """Composed or not, and whatever white space: what looks the same is the same."""
    stage.people.edit(ME, 1, name=" Zoe\u0308 \u00a0 de\u3000Wit ")
    stage.people.edit(ME, 2, name="Zo\u00eb de Wit")
    document(stage, 1, name="Zo\u00eb de Wit", same_name=[2])
    choice: dict[str, Any] = {"named": None, "hidden": False, "limit": 9, "cursor": ""}
    for asked in ("Zoe\u0308", "Zo\u00eb ", " Zo\u00eb   de", "Zo\u00eb\u00a0de Wit"):
        page, _ = stage.people.people(ME, name=asked, **choice)
        assert [person["id"] for person in page] == [1, 2], asked
    assert stage.people.people(ME, name="Zoe", **choice) == ([], "")
    assert stage.people.merge(ME, 1, 2) == []


@pytest.mark.parametrize("name", ["", "  ", "\u00a0", "An\nna", "An\x00na", "An\u2028na", "a" * 201])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(BadParam):
        check_person_name(name)


def test_pages_of_a_persons_faces(stage: Stage) -> None:
    scenes = together(stage, 0.0, 7)
    page, cursor = stage.people.faces(ME, 1, 4, "")
    assert [found["image"] for found in page] == [scene.hash for scene in reversed(scenes[3:])]
    assert {found["person"] for found in page} == {1}
    stage.scan(0.01)
    stage.group()
    page, cursor = stage.people.faces(ME, 1, 4, cursor)
    assert ([found["image"] for found in page], cursor) == ([scene.hash for scene in reversed(scenes[:3])], "")
    with pytest.raises(BadParam):
        stage.people.faces(ME, 1, 4, "x")
    with pytest.raises(NotFound):
        stage.people.faces(ME, 99, 4, "")


def test_unknown_faces_by_group_and_by_time(stage: Stage) -> None:
    few, stray, named, hidden = together(stage, 0.0, 2), stage.scan(50.0), together(stage, FAR), together(stage, 20.0)
    many = together(stage, 30.0, 4)
    last = stage.scan(70.0)
    stage.group()
    stage.people.edit(ME, stage.person_of(named[0]), name="Ann")
    stage.people.edit(ME, stage.person_of(hidden[0]), hidden=True)
    expected = [*reversed(faces_of(many)), *reversed(faces_of(few)), last.faces[0], stray.faces[0]]
    assert pages(stage, "group") == expected
    assert pages(stage, "time") == sorted(expected, reverse=True)
    stage.people.edit(ME, stage.person_of(named[0]), name="")
    assert set(pages(stage, "time")) == {*expected, *faces_of(named)}
    sizes = {found["id"]: found["group_size"] for found in stage.people.unknown(ME, "group", 20, "")[0]}
    assert (sizes[many[0].faces[0]], sizes[stray.faces[0]]) == (4, 1)
    for order in ("group", "time"):
        with pytest.raises(BadParam):
            stage.people.unknown(ME, order, 5, "wrong/x")  # type: ignore[arg-type]


def pages(stage: Stage, order: Any) -> list[int]:
    seen, cursor = [], ""
    while True:
        page, cursor = stage.people.unknown(ME, order, 3, cursor)
        seen += [found["id"] for found in page]
        if not cursor:
            return seen


def test_the_image_tells_who_is_on_it(stage: Stage, ann: list[Scene]) -> None:
    mixed = stage.scan(0.01, 50.0)
    stage.group()
    found = stage.admissions.image(ME, mixed.hash, 10, "")
    assert found is not None
    assert [each["person"] for each in found["faces"]] == [1, None]


def test_samples_and_standings(stage: Stage, ann: list[Scene], bea: list[Scene]) -> None:
    stage.people.reject(ME, 1, ann[2].faces)
    stage.people.edit(ME, 2, name="Bea", hidden=True)
    sample = stage.people.sample(ME, 1, 1)
    assert sample.faces == set(faces_of(ann[:2]))
    assert [len(rows) for rows in sample.encodings.values()] == [512]
    asked = [ann[0].faces[0], ann[2].faces[0], bea[0].faces[0]]
    mine, rejected, other = stage.people.standings(ME, 1, asked)
    assert mine is not None
    assert rejected is None
    assert other is not None
    assert (mine.person, other.person, other.name, other.hidden) == (1, 2, "Bea", True)


def test_large_persons_are_moved_in_chunks(stage: Stage) -> None:
    places = [3.0 * n for n in range(2100)]
    crowd = [stage.scan(*places), stage.scan(*places)]
    stage.group()
    stage.people.move(ME, crowd[0].faces, None, new=True)
    person = stage.person_of(crowd[0])
    document(stage, person, faces=2100)
    stage.people.edit(ME, person, name="Crowd")
    stage.people.merge(ME, stage.people.move(ME, crowd[1].faces[:2], None, new=True) or 0, person)
    document(stage, person, faces=2102)
    for _ in range(4):
        stage.people.undo(ME)
    assert len(stage.groups()) == 2100
