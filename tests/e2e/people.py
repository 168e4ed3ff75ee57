"""Drawn people in drawn pictures: cartoons that tell the fake engine who is where, so that nobody real is shown."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from facerec.engine.fake import MARK

NAMES = ("Ada", "Ben", "Chloe", "Dev", "Elif", "Finn", "Gita", "Hugo", "Iris", "Jonas", "Kaya", "Leo")
_SKINS = ("#f3c9a5", "#e0a878", "#c68657", "#9c6440", "#7a4a2e", "#f7d9bf")
_HAIRS = ("#2b1d14", "#5b3a1e", "#a8692c", "#d9b25f", "#8a8f98", "#b3402e")
_SHIRTS = ("#2f6f9f", "#b8493c", "#3d8b5f", "#7a5aa6", "#d08a2e", "#3b4a5a", "#c2587f", "#2a8c8c")
_SCENES = (
    ("#bfe0f2", "#8fbf7a"),
    ("#f6d9b8", "#d9a066"),
    ("#cfd8e6", "#8796ab"),
    ("#f2e6c9", "#7fb5b0"),
    ("#e5d3ea", "#9b86b5"),
    ("#d4ead8", "#6f9c74"),
)
_FINE = 2
"""Everything is drawn this much larger and then shrunk, for smooth edges."""


@dataclass(frozen=True)
class Person:
    """Looks that follow from a name."""

    name: str

    def look(self, what: str, choices: Sequence[str]) -> str:
        return random.Random(f"{self.name} {what}").choice(choices)


def photo(people: Sequence[str], seed: int = 0, width: int = 900, height: int = 640) -> bytes:
    """A JPEG of these people side by side; the fake engine finds each where it is drawn, near but not equal to itself."""
    chance = random.Random(f"{seed} {people}")
    picture = Image.new("RGB", (width * _FINE, height * _FINE))
    draw = ImageDraw.Draw(picture)
    _scene(draw, chance, width * _FINE, height * _FINE)
    faces = []
    for number, name in enumerate(people):
        size = min(height * 0.34, width / len(people) * 0.44) * chance.uniform(0.85, 1.05)
        x = width * (number + 0.5 + chance.uniform(-0.06, 0.06)) / len(people)
        y = height * chance.uniform(0.40, 0.50)
        _person(draw, Person(name), chance, x * _FINE, y * _FINE, size * _FINE)
        box = [round(y - size * 0.45), round(x + size * 0.46), round(y + size * 0.52), round(x - size * 0.46)]
        faces.append({"person": name, "distance": round(chance.uniform(0.15, 0.3), 3), "box": box, "confidence": 1.2})
    out = io.BytesIO()
    picture.resize((width, height), Image.Resampling.LANCZOS).save(out, "JPEG", quality=88)
    told = {"width": width, "height": height, "faces": faces}
    return out.getvalue() + MARK + b"FACES:" + json.dumps(told).encode()


def _scene(draw: ImageDraw.ImageDraw, chance: random.Random, width: int, height: int) -> None:
    sky, ground = chance.choice(_SCENES)
    draw.rectangle((0, 0, width, height), fill=sky)
    sun = width * chance.uniform(0.1, 0.9), height * chance.uniform(0.08, 0.2), height * chance.uniform(0.05, 0.09)
    draw.ellipse(_around(*sun), fill="#fff4d6")
    for _ in range(3):
        x, r = width * chance.random(), height * chance.uniform(0.3, 0.6)
        draw.ellipse((x - r * 1.6, height * 0.72, x + r * 1.6, height * 0.72 + r), fill=ground)
    draw.rectangle((0, height * 0.86, width, height), fill=ground)


def _person(draw: ImageDraw.ImageDraw, who: Person, chance: random.Random, x: float, y: float, size: float) -> None:
    skin, hair = who.look("skin", _SKINS), who.look("hair", _HAIRS)
    shirt = chance.choice(_SHIRTS)
    r = size / 2
    draw.rounded_rectangle((x - 1.25 * r, y + 1.2 * r, x + 1.25 * r, y + 6 * r), r * 0.9, fill=shirt)
    draw.rounded_rectangle((x - 0.3 * r, y + 0.7 * r, x + 0.3 * r, y + 1.5 * r), r * 0.3, fill=skin)
    _hair_behind(draw, who, hair, x, y, r)
    draw.ellipse((x - 0.86 * r, y - r, x + 0.86 * r, y + 1.06 * r), fill=skin)
    _features(draw, who, chance, x, y, r)
    _fringe(draw, who, hair, x, y, r)


def _hair_behind(draw: ImageDraw.ImageDraw, who: Person, hair: str, x: float, y: float, r: float) -> None:
    if who.look("cut", ("long", "short", "bun")) == "long":
        draw.rounded_rectangle((x - 1.1 * r, y - 1.1 * r, x + 1.1 * r, y + 1.5 * r), r, fill=hair)
    elif who.look("cut", ("long", "short", "bun")) == "bun":
        draw.ellipse(_around(x, y - 1.25 * r, 0.42 * r), fill=hair)
    draw.ellipse((x - 0.98 * r, y - 1.18 * r, x + 0.98 * r, y + 0.7 * r), fill=hair)


def _fringe(draw: ImageDraw.ImageDraw, who: Person, hair: str, x: float, y: float, r: float) -> None:
    start, end = {"left": (180, 310), "right": (230, 360), "even": (200, 340)}[
        who.look("fringe", ("left", "right", "even"))
    ]
    draw.chord((x - 0.9 * r, y - 1.08 * r, x + 0.9 * r, y + 0.75 * r), start, end, fill=hair)


def _features(draw: ImageDraw.ImageDraw, who: Person, chance: random.Random, x: float, y: float, r: float) -> None:
    ink = "#2a211c"
    for side in (-1, 1):
        eye = x + side * 0.36 * r
        draw.ellipse(_around(eye, y + 0.02 * r, 0.1 * r), fill=ink)
        draw.arc((eye - 0.2 * r, y - 0.32 * r, eye + 0.2 * r, y + 0.02 * r), 205, 335, fill=ink, width=round(0.06 * r))
        draw.ellipse(_around(x + side * 0.52 * r, y + 0.36 * r, 0.14 * r), fill="#e58f7a")
        if who.look("glasses", ("yes", "no", "no")) == "yes":
            draw.ellipse(_around(eye, y + 0.02 * r, 0.25 * r), outline=ink, width=round(0.05 * r))
    draw.arc((x - 0.12 * r, y + 0.1 * r, x + 0.12 * r, y + 0.36 * r), 20, 160, fill="#a0603f", width=round(0.05 * r))
    smile = chance.uniform(0.28, 0.42) * r
    draw.chord((x - smile, y + 0.3 * r, x + smile, y + 0.82 * r), 15, 165, fill="#9c3b35")


def _around(x: float, y: float, r: float) -> tuple[float, float, float, float]:
    return x - r, y - r, x + r, y + r
