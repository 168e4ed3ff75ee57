"""`facerec match`, `show` and `erase`: one image and what is known of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import FAILED, OK, CommandFailed, UsageError
from facerec.cli.output import printable
from facerec.cli.targets import hash_of

if TYPE_CHECKING:
    from facerec.client import Client

Target = Annotated[str, typer.Argument(metavar="HASH|PATH", help="Hash of an image, or a file that was scanned.")]
Targets = Annotated[
    list[str], typer.Argument(metavar="HASH|PATH...", help="Hashes of images, or files that were scanned.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    examples = "facerec match party.jpg\nfacerec match --json party.jpg | jq -r '.[]'\nfacerec match -0 party.jpg | xargs -0 ls"
    command(app, "match", names=True, examples=examples)(match)
    command(app, "show", examples="facerec show party.jpg")(show)
    command(app, "erase", examples="facerec erase party.jpg\nfacerec erase --yes --json *.jpg")(erase)


def match(call: Call, target: Target) -> None:
    """List the names of the images that show the same people."""
    image_hash = hash_of(target)
    with call.client() as client:
        names = client.match(image_hash)
        why = None if names else _why_none(client, image_hash)
    call.out.document(names)
    for name in names:
        call.out.say(name)
    if why:
        call.out.note(f"{target}: {why}")


def show(call: Call, target: Target) -> None:
    """Show what is known of an image: its state, faces and matches."""
    with call.client() as client:
        image = client.image(hash_of(target))
    call.out.document(image)
    call.out.fields(_overview(image))
    if image["faces"]:
        call.out.say()
        call.out.table(["FACE", "TOP", "RIGHT", "BOTTOM", "LEFT", "CONFIDENCE"], map(_face_row, image["faces"]))
    if image["matches"]:
        call.out.say()
        call.out.table(["DISTANCE", "MATCH", "HASH"], map(_match_row, image["matches"]))


def erase(call: Call, targets: Targets, yes: Yes = False) -> int:
    """Erase images with all that was made of them, and print the receipts."""
    from facerec.client import Missing  # noqa: PLC0415

    hashes = {hash_of(target): target for target in targets}
    status = OK
    with call.client() as client:
        if not yes:
            _confirm(client, hashes)
        for image_hash, target in hashes.items():
            try:
                receipt = client.erase(image_hash)
            except Missing as error:
                call.out.error(error.code, _missing(image_hash, target))
                status = FAILED
                continue
            call.out.line(receipt)
            call.out.fields(_flat(receipt))
            call.out.say()
    return status


def _why_none(client: Client, image_hash: str) -> str | None:
    """Why no picture shows the same people, where the reason is not that they are on no other one."""
    from facerec.client import Missing  # noqa: PLC0415

    try:
        image = client.image(image_hash)
    except Missing:
        return "this picture was not scanned"
    if image["state"] == "failed":
        return f"the scan of this picture failed: {image['reason']}"
    if image["state"] != "done":
        return f"this picture is not scanned yet, it is {image['state']}"
    return None if image["faces"] else "no face was found on this picture"


def _confirm(client: Client, hashes: Mapping[str, str]) -> None:
    from facerec.client import Missing  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask at: say --yes to erase")
    for image_hash, target in hashes.items():
        try:
            names = client.image(image_hash)["names"]
        except Missing as error:
            raise CommandFailed(error.code, _missing(image_hash, target)) from error
        typer.echo(f"{image_hash}  {printable(', '.join(names))}", err=True)
    if not typer.confirm(f"Erase {len(hashes)} image(s) for ever?", err=True):
        raise UsageError("nothing was erased")


def _missing(image_hash: str, target: str) -> str:
    return f"there is no image {image_hash}" if target == image_hash else f"{target}: there is no image {image_hash}"


def _overview(image: dict[str, Any]) -> dict[str, object]:
    size = f"{image['width']} x {image['height']}" if image["width"] else None
    why = {"reason": f"{image['reason']}: {image.get('detail') or ''}"} if image["reason"] else {}
    return {
        "hash": image["hash"],
        "state": image["state"],
        **why,
        "names": image["names"],
        "size": size,
        "model": image["model"],
        "queued": image["queued_at"],
        "done": image["done_at"],
        "attempts": image["attempts"],
        "faces": len(image["faces"]),
        "matches": len(image["matches"]),
    }


def _face_row(face: dict[str, Any]) -> list[object]:
    box = face["box"]
    return [face["id"], box["top"], box["right"], box["bottom"], box["left"], face["confidence"]]


def _match_row(match_: dict[str, Any]) -> list[object]:
    return [match_["distance"], match_["names"], match_["hash"]]


def _flat(receipt: dict[str, Any]) -> dict[str, object]:
    """A receipt whose inner objects became fields of their own."""
    flat: dict[str, object] = {}
    for name, value in receipt.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name} {key}".strip(): text for key, text in inner}
    return flat
