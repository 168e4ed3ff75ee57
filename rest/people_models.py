"""Persons as pydantic models: they check requests, and /openapi.json is made from them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, StrictBool, StrictInt

from facerec.services.people import MAX_FACES, MAX_PERSON_NAME
from rest.models import Face, Hash, Strict

PersonId = StrictInt
FaceIds = Field(min_length=1, max_length=MAX_FACES, description="ids of faces")
_LIMIT = Field(50, ge=1, le=500)
_CURSOR = Field("", description="from the previous page's next_page")


class PeopleQuery(Strict):
    named: bool | None = Field(None, description="only those with a name, or only those without")
    hidden: bool = Field(False, description="the hidden ones instead of the others")
    name: str | None = Field(None, min_length=1, description="those whose name begins so, by name, instead of by size")
    limit: int = _LIMIT
    cursor: str = _CURSOR


class PersonQuery(Strict):
    limit: int = _LIMIT
    cursor: str = _CURSOR


class SuggestionsQuery(Strict):
    limit: int = Field(20, ge=1, le=200)


class FacesQuery(Strict):
    person: Literal["none"] = Field(description="faces that nobody named")
    order: Literal["group", "time"] = Field("group", description="largest group first, or newest picture first")
    limit: int = _LIMIT
    cursor: str = _CURSOR


class PersonChange(Strict):
    """What is given is changed."""

    name: str | None = Field(None, max_length=MAX_PERSON_NAME, description="an empty name or null removes it")
    hidden: StrictBool | None = None
    cover: StrictInt | None = Field(None, description="the face that stands for the person")


class MergeInto(Strict):
    into: PersonId = Field(description="the person that gets all faces")
    name: str | None = Field(None, min_length=1, description="needed when both have a name and they differ")


class SomeFaces(Strict):
    faces: list[StrictInt] = FaceIds


class FacePerson(Strict):
    person: PersonId | Literal["new"] | None = Field(
        description="whose face it is; null: nobody's, new: a new person's"
    )


class ContactOfPerson(BaseModel):
    user_id: int
    contact_id: int


class Person(BaseModel):
    id: int
    name: str | None
    hidden: bool
    faces: int = Field(description="how many there are")
    cover: int | None = Field(description="the face that stands for the person; null when it has none")
    thumbnail: str | None = Field(description="path of the cover, or null when no pictures are kept")
    created_at: str = Field(description="ISO 8601")
    changed_at: str = Field(description="ISO 8601")
    same_name: list[int] = Field(description="other persons with the same name")
    contacts: list[ContactOfPerson] = Field(description="the contacts that this person is, of which users")


class PlacedFace(Face):
    image: str = Hash
    group_size: int | None = Field(None, description="only when ordered by group: how many faces the face's group has")


class People(BaseModel):
    results: list[Person]
    next_page: str | None


class Faces(BaseModel):
    results: list[PlacedFace]
    next_page: str | None


class PersonWithFaces(Person):
    page: Faces = Field(description="the person's faces, newest picture first")


class Merged(Person):
    contradicted: list[int] = Field(description="faces of which somebody had said that they are not the other person")


class Suggested(BaseModel):
    face: int = Field(description="the face in question, or the nearest one of the group")
    thumbnail: str | None
    person: int | None = Field(description="the group in question; null: a face without a person")
    name: str | None
    faces: int = Field(description="how many faces of the group are near")
    distance: float = Field(description="mean of the nearest distances, smaller is closer")


class Suggestions(BaseModel):
    results: list[Suggested] = Field(description="nearest first")


class Undone(BaseModel):
    operation: Literal["edit", "merge", "split", "move", "not"]
    persons: list[int]
    faces: int = Field(description="how many went back")


class Past(Undone):
    at: str = Field(description="ISO 8601")


class History(BaseModel):
    results: list[Past] = Field(description="newest first; undo takes back the first")


class WhoseFace(BaseModel):
    face: int
    person: int | None
