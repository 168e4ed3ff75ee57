"""`facerec people`: who is on the pictures, and what a person knows better than the service."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from facerec.cli.commands import Call, command
from facerec.cli.output import Output

Person = Annotated[int, typer.Argument(metavar="PERSON", help="Id of the person; see the list.")]
Faces = Annotated[list[int], typer.Argument(metavar="FACE...", help="Ids of faces; see people show.")]
Name = Annotated[str, typer.Argument(help="The name; an empty one ('') removes it.")]
Other = Annotated[int, typer.Argument(metavar="OTHER", help="The person who gets all faces.")]
NewName = Annotated[
    str | None, typer.Option("--name", help="What both are called from now on, when they have two names.")
]
Prefix = Annotated[str | None, typer.Option("--name", help="Only those whose name begins so.")]
Named = Annotated[
    bool | None,
    typer.Option("--named/--unnamed", help="Only those with a name, or only those without.", show_default=False),
]
Hidden = Annotated[bool, typer.Option("--hidden", help="The hidden ones instead of the others.")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="No more than so many.")]
_UNDONE = {"edit": "the change of a name", "not": "not this person"}
"""What the service calls an operation, where that is no word for people."""


def register(app: typer.Typer) -> None:
    people = typer.Typer(no_args_is_help=True, help="Who is on the pictures: list, name, merge, split, undo.")
    command(people, "list", names=True, examples="facerec people list --unnamed --limit 20")(list_)
    command(people, "show", examples="facerec people show 7")(show)
    command(people, "unknown", examples="facerec people unknown")(unknown)
    command(people, "name", examples="facerec people name 7 'Ada Lovelace'")(name)
    command(people, "merge", examples="facerec people merge 9 7")(merge)
    command(people, "split", examples="facerec people split 7 20480 24576")(split)
    command(people, "not", examples="facerec people not 7 20480")(not_)
    command(people, "undo", examples="facerec people undo")(undo)
    app.add_typer(people, name="people")


def list_(call: Call, named: Named = None, name: Prefix = None, hidden: Hidden = False, limit: Limit = 1000) -> None:
    """List the persons, those with most faces first."""
    with call.client() as client:
        persons = list(islice(client.people.list(named, name, hidden=hidden), limit))
    call.out.document(persons)
    call.out.table(["PERSON", "FACES", "NAME"], [[each["id"], each["faces"], each["name"]] for each in persons])


def show(call: Call, person: Person, limit: Limit = 1000) -> None:
    """Show a person and the faces that are taken for this person's, newest picture first."""
    with call.client() as client:
        document = client.people.get(person)
        faces = list(islice(client.people.faces(person), limit))
    call.out.document(document | {"some_faces": faces})
    _tell(call.out, document)
    call.out.say()
    call.out.table(["FACE", "HASH"], [[face["id"], face["image"]] for face in faces])


def unknown(call: Call, limit: Limit = 1000) -> None:
    """List the faces that nobody named, those that look like most others first."""
    with call.client() as client:
        faces = list(islice(client.people.unknown(), limit))
    call.out.document(faces)
    rows = [[face["id"], face.get("group_size"), face.get("person"), face["image"]] for face in faces]
    call.out.table(["FACE", "ALIKE", "PERSON", "HASH"], rows)


def name(call: Call, person: Person, name: Name) -> None:
    """Name a person."""
    with call.client() as client:
        _answer(call.out, client.people.name(person, name))


def merge(call: Call, person: Person, other: Other, name: NewName = None) -> None:
    """Make all faces of PERSON those of OTHER: they are one and the same."""
    with call.client() as client:
        merged = client.people.merge(person, other, name)
    _answer(call.out, merged)
    if merged["contradicted"]:
        faces = ", ".join(map(str, merged["contradicted"]))
        call.out.note(f"of these faces somebody had said that they are not the other person: {faces}")


def split(call: Call, person: Person, faces: Faces) -> None:
    """Make some faces of a person a new person."""
    with call.client() as client:
        _answer(call.out, client.people.split(person, faces))


def not_(call: Call, person: Person, faces: Faces) -> None:
    """Say that some faces are not this person; it is kept, and heeded from now on."""
    with call.client() as client:
        client.people.reject(person, faces)
    call.out.document({"person": person, "not": faces})
    call.out.say("noted")


def undo(call: Call) -> None:
    """Take back the newest change of persons."""
    with call.client() as client:
        undone = client.people.undo()
    call.out.document(undone)
    back = f", {undone['faces']} faces went back" if undone["faces"] else ""
    call.out.say(f"undone: {_UNDONE.get(undone['operation'], undone['operation'])}{back}")


def _answer(out: Output, person: dict[str, Any]) -> None:
    out.document(person)
    _tell(out, person)


def _tell(out: Output, person: dict[str, Any]) -> None:
    hidden = {"hidden": "yes"} if person["hidden"] else {}
    same = {"same name": person["same_name"]} if person["same_name"] else {}
    out.fields({"person": person["id"], "name": person["name"], "faces": person["faces"], **hidden, **same})
