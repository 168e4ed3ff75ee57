"""Random operations on people against a dictionary, with undo, erasure and the grouping in between."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import OWN, prefix
from facerec.adapters.redis.people_check import check_people
from facerec.errors import BadParam, Conflict, NotFound
from facerec.identity import DEFAULT_OWNER
from tests.people_stage import Scene, Stage

ME, BOB = DEFAULT_OWNER, "bob"
NAMES = ("Ann", "Bea")


@dataclass
class Person:
    name: str | None = None
    hidden: bool = False


@dataclass
class Model:
    """What the people of one owner should be."""

    persons: dict[int, Person] = field(default_factory=dict)
    faces: dict[int, int | None] = field(default_factory=dict)
    links: set[tuple[int, int]] = field(default_factory=set)

    def of(self, person: int | None) -> list[int]:
        return sorted(face for face, who in self.faces.items() if who == person)

    def tidy(self) -> None:
        """Who has neither name nor faces vanishes."""
        for person in [each for each, known in self.persons.items() if known.name is None and not self.of(each)]:
            del self.persons[person]
        self.links = {(face, who) for face, who in self.links if who in self.persons and face in self.faces}

    def give(self, faces: list[int], person: int | None) -> None:
        for face in faces:
            self.faces[face] = person
        self.links -= {(face, person) for face in faces if person is not None}
        self.tidy()


class People(RuleBasedStateMachine):
    databases: RedisDatabases

    @initialize()
    def start(self) -> None:
        for database in range(5):
            self.databases.client(database).flushdb()
        self.stage = Stage(self.databases)
        self.scenes: list[Scene] = []
        self.model = Model()
        self.past: list[Model] = []
        self.bobs = 0

    def _changed(self) -> None:
        """An operation was done: it can be taken back."""
        self.past.append(copy.deepcopy(self.before))

    def _remember(self) -> None:
        self.before = copy.deepcopy(self.model)

    # ------------------------------------------------------------ pictures

    @rule(places=st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.55, 3.0, 3.2, 6.0]), min_size=1, max_size=3))
    def scan(self, places: list[float]) -> None:
        self.scenes.append(self.stage.scan(*places))

    @rule()
    def another_owner_scans(self) -> None:
        self.stage.scan(0.0, owner=BOB)
        self.bobs += 1

    @rule()
    def group(self) -> None:
        """The grouping may place whom nobody has, and nothing else; what it did is taken over into the model."""
        self.stage.group()
        placed = self.stage.placed()
        for face, person in self.model.faces.items():
            if person is not None:
                assert placed[face] == person, "a placed face moved by itself"
        news = {face: person for face, person in placed.items() if person != self.model.faces.get(face, -1)}
        assert not self.model.links & news.items(), "not this person"
        for model in (self.model, *self.past):
            for person in {person for person in news.values() if person is not None} - model.persons.keys():
                model.persons[person] = Person()
        self.model.faces = placed
        for face, person in news.items():
            self._was_always_there(face, person)

    def _was_always_there(self, face: int, person: int | None) -> None:
        """Undo leaves what was placed since, unless the operation itself had moved that face."""
        for model in reversed(self.past):
            if model.faces.get(face) is not None:
                return
            model.faces[face] = person

    @precondition(lambda self: self.scenes and not self.past)
    @rule(choice=st.integers(0, 99))
    def erase(self, choice: int) -> None:
        """Only with an empty history: what undo makes of erased faces has tests of its own."""
        scene = self.scenes.pop(choice % len(self.scenes))
        self.stage.erase(scene)
        for face in scene.faces:
            self.model.faces.pop(face, None)
        self.model.tidy()

    @precondition(lambda self: self.past)
    @rule()
    def forget_history(self) -> None:
        self.databases.client(OWN).delete("people:history")
        self.past.clear()

    # ------------------------------------------------------------ operations

    @precondition(lambda self: self.model.persons)
    @rule(choice=st.integers(0, 99), name=st.sampled_from(NAMES), hidden=st.booleans())
    def edit(self, choice: int, name: str, hidden: bool) -> None:
        person = self._person(choice)
        self._remember()
        self.stage.people.edit(ME, person, name=name, hidden=hidden)
        self.model.persons[person] = Person(name, hidden)
        if self.model != self.before:
            self._changed()

    @precondition(lambda self: any(person.name for person in self.model.persons.values()))
    @rule(choice=st.integers(0, 99))
    def remove_name(self, choice: int) -> None:
        named = sorted(each for each, person in self.model.persons.items() if person.name)
        person = named[choice % len(named)]
        self._remember()
        self.stage.people.edit(ME, person, name="")
        self.model.persons[person].name = None
        self.model.tidy()
        self._changed()

    @precondition(lambda self: len(self.model.persons) > 1)
    @rule(choice=st.integers(0, 99), other=st.integers(0, 99), keep=st.booleans())
    def merge(self, choice: int, other: int, keep: bool) -> None:
        source = self._person(choice)
        target = sorted(self.model.persons.keys() - {source})[other % (len(self.model.persons) - 1)]
        names = [self.model.persons[each].name for each in (target, source)]
        self._remember()
        chosen = names[0] if keep and names[0] else None
        if None not in names and names[0] != names[1] and not chosen:
            with pytest.raises(Conflict):
                self.stage.people.merge(ME, source, target)
            return
        self.stage.people.merge(ME, source, target, chosen)
        self.model.persons[target].name = names[0] or names[1]
        carried = {(face, target) for face, who in self.model.links if who == source}
        del self.model.persons[source]
        self.model.links |= carried
        for face in self.model.of(source):
            self.model.faces[face] = target
        self.model.links = {(face, who) for face, who in self.model.links if self.model.faces[face] != who}
        self.model.tidy()
        self._changed()

    @precondition(lambda self: self.model.persons)
    @rule(choice=st.integers(0, 99), count=st.integers(1, 3))
    def split(self, choice: int, count: int) -> None:
        person = self._person(choice)
        faces = self.model.of(person)[:count]
        self._remember()
        if len(faces) == len(self.model.of(person)):
            with pytest.raises(BadParam):
                self.stage.people.split(ME, person, faces)
            return
        new = self.stage.people.split(ME, person, faces)
        self.model.persons[new] = Person()
        self.model.give(faces, new)
        self._changed()

    @precondition(lambda self: self.model.faces)
    @rule(choice=st.integers(0, 99), other=st.integers(0, 99))
    def move(self, choice: int, other: int) -> None:
        face = sorted(self.model.faces)[choice % len(self.model.faces)]
        targets: list[int | None] = [*sorted(self.model.persons), None]
        person = targets[other % len(targets)]
        self._remember()
        self.stage.people.move(ME, [face], person)
        if self.model.faces[face] != person:
            self.model.give([face], person)
            self._changed()

    @precondition(lambda self: any(self.model.faces.values()))
    @rule(choice=st.integers(0, 99))
    def reject(self, choice: int) -> None:
        placed = sorted(face for face, person in self.model.faces.items() if person is not None)
        face = placed[choice % len(placed)]
        person = self.model.faces[face]
        assert person is not None
        self._remember()
        self.stage.people.reject(ME, person, [face])
        self.model.faces[face] = None
        self.model.links.add((face, person))
        self.model.tidy()
        self._changed()

    @rule()
    def undo(self) -> None:
        if not self.past:
            with pytest.raises(NotFound):
                self.stage.people.undo(ME)
            return
        self.stage.people.undo(ME)
        self.model = self.past.pop()
        self.model.tidy()

    # ------------------------------------------------------------ what must hold

    @invariant()
    def the_people_are_those_of_the_model(self) -> None:
        known = self.stage.placed()
        assert {face: known[face] for face in self.model.faces} == self.model.faces
        found = {}
        for hidden in (False, True):
            page, _ = self.stage.people.people(ME, named=None, hidden=hidden, name=None, limit=500, cursor="")
            found |= {each["id"]: (each["name"], each["hidden"], each["faces"]) for each in page}
        expected = {
            each: (person.name, person.hidden, len(self.model.of(each))) for each, person in self.model.persons.items()
        }
        assert found == expected

    @invariant()
    def nothing_is_broken(self) -> None:
        assert list(check_people(self.databases)) == []
        client: Any = self.databases.client(OWN)
        links = {
            (int(key.split(b":")[1]), int(person))
            for key in client.scan_iter(match="face:*:not", count=1000)
            for person in client.smembers(key)
        }
        assert links == self.model.links

    @invariant()
    def owners_never_meet(self) -> None:
        theirs = self.stage.placed(BOB)
        assert len(theirs) <= self.bobs
        assert not theirs.keys() & self.model.faces.keys()
        assert self.databases.client(OWN).exists(f"{prefix(BOB)}people:history") == 0

    def _person(self, choice: int) -> int:
        return sorted(self.model.persons)[choice % len(self.model.persons)]


@pytest.mark.parametrize("moved_at_once", [1000, 1])
def test_people_behave_as_a_dictionary_would(
    databases: RedisDatabases, moved_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facerec.adapters.redis.people._MOVED_AT_ONCE", moved_at_once)
    People.databases = databases
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        People,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
