"""`facerec identify`: who is on a picture that is not stored?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from facerec.cli.commands import Call, command
from facerec.cli.errors import UsageError


class Preset(StrEnum):
    """How alike is alike enough; the service says what each means (`facerec status --json`)."""

    STRICT = "strict"
    MEDIUM = "medium"
    LOW = "low"


Picture = Annotated[Path, typer.Argument(metavar="PATH", help="A picture; it is looked at and forgotten.")]
PresetOption = Annotated[
    Preset | None,
    typer.Option("--preset", help="How alike is alike enough: strict gives fewer wrong names and more unknown ones."),
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", min=0, max=2, help="Instead of a preset: the largest distance that counts."),
]
Count = Annotated[int, typer.Option("--count", "-n", min=1, max=100, help="Known faces to show for each face.")]
Patience = Annotated[
    float,
    typer.Option("--patience", min=0, metavar="SECONDS", help="How long to wait for a service that is away or full."),
]


def register(app: typer.Typer) -> None:
    examples = "facerec identify stranger.jpg\nfacerec identify --preset strict --json stranger.jpg"
    command(app, "identify", examples=examples)(identify)


def identify(
    call: Call,
    path: Picture,
    preset: PresetOption = None,
    tolerance: Tolerance = None,
    count: Count = 5,
    patience: Patience = 0.0,
) -> None:
    """Find the known faces that are nearest to those on a picture, or say that they are unknown."""
    if preset and tolerance is not None:
        raise UsageError("either --preset or --tolerance, not both")
    try:
        picture = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    with call.client(patience) as client:
        found = client.identify(picture, preset and preset.value, tolerance, count)
    call.out.document(found)
    call.out.say(_summary(found))
    call.out.table(["FACE", "DISTANCE", "NAMES", "HASH"], _rows(found["faces"]))


def _summary(found: dict[str, Any]) -> str:
    faces = f"faces found: {len(found['faces'])}"
    if not found["faces"]:
        return faces
    limit = f"up to distance {found['tolerance']:g}" + (f" ({found['preset']})" if found["preset"] else "")
    return f"{faces}, compared with {found['known_faces']} known ones, {limit}"


def _rows(faces: list[dict[str, Any]]) -> list[list[object]]:
    rows: list[list[object]] = []
    for number, face in enumerate(faces, 1):
        if face["unknown"]:
            rows.append([number, None, "unknown", None])
        rows += [[number, near["distance"], near["names"], near["hash"]] for near in face["candidates"]]
    return rows
