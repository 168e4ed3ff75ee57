"""Moving to another detector or model: what is done with the faces of one image, as pure functions.

Each old face keeps its id. With a new detector it is carried to the new box of highest IoU, at least `SAME_FACE`; a face that
finds none keeps its old box and is encoded anew there. A face that cannot be encoded anew, because its original is missing or
changed, keeps its old record. So nothing is ever dropped. Faces that only the new detector finds get new ids behind the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from facerec.errors import BadParam
from facerec.faces import ENCODING_LENGTH, Box, Encoding, Face, Mark, Model
from facerec.identity import FACES_PER_IMAGE, face_id
from facerec.records import face_id_of, model_of, pack_face, unpack_face

SAME_FACE = 0.5
"""The IoU (intersection over union of two boxes) from which on, inclusive, they show the same face."""
PARTS = ("encodings", "normalized", "thumbnails")
_DETECTORS = {
    Model.REFERENCE: "reference",
    Model.CNN: "cnn",
    Model.CNN_68: "cnn",
    Model.HOG: "hog",
    Model.CNN_HOG: "cnn_hog",
}
_ALIGNMENTS = {Model.REFERENCE: "reference", Model.CNN_68: "68"}


def same_detector(one: Model, other: Model) -> bool:
    """Whether both find the same boxes."""
    return _DETECTORS[one] == _DETECTORS[other]


def same_alignment(one: Model, other: Model) -> bool:
    """Whether both align a face of one box alike, so that its chip can be encoded for either."""
    return _ALIGNMENTS.get(one, "5") == _ALIGNMENTS.get(other, "5")


@dataclass(frozen=True, slots=True)
class Share:
    """Some faces by their ids: ``low`` to ``high`` (inclusive), and of these those that leave ``offset`` modulo ``every``."""

    low: int = 0
    high: int = (1 << 63) - 1
    every: int = 1
    offset: int = 0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise BadParam("every_other", "must be at least 1", self.every)
        if not 0 <= self.offset < self.every:
            raise BadParam("every_other_offset", "must be at least 0 and less than every_other", self.offset)
        if self.low < 0 or self.high < self.low:
            raise BadParam("min_id", "must be at least 0 and not more than max_id", self.low)

    def has(self, face: int) -> bool:
        return self.low <= face <= self.high and face % self.every == self.offset

    def row(self) -> list[str]:
        """As it is stored: texts, because Lua would round large numbers."""
        return [str(self.low), str(self.high), str(self.every), str(self.offset)]


def shares_text(shares: Iterable[Share]) -> str:
    return json.dumps([share.row() for share in shares])


def shares_of(text: str) -> tuple[Share, ...]:
    return tuple(Share(*(int(number) for number in row)) for row in json.loads(text))


def parse_parts(text: str) -> tuple[str, ...]:
    """A comma list of what to make anew, sorted. Raises BadParam."""
    parts = sorted({part.strip() for part in text.split(",") if part.strip()})
    if not parts or not set(parts) <= set(PARTS):
        raise BadParam("regenerate", f"must be a comma list of {', '.join(PARTS)}", text[:100])
    return tuple(parts)


@dataclass(frozen=True, slots=True)
class Skip:
    """Which faces stay as they are: those whose encoding has this length already, or is of this model; None for no such rule."""

    length: int | None = None
    model: Model | None = None

    def takes(self, record: bytes) -> bool:
        return self.length == ENCODING_LENGTH or model_of(record) is self.model

    def text(self) -> str:
        return f"{self.length or ''}:{'' if self.model is None else self.model.value}"

    @classmethod
    def of(cls, text: str) -> Skip:
        length, _, model = text.partition(":")
        return cls(int(length) if length else None, Model(int(model)) if model else None)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """An image that is to be made anew. ``records`` are its faces in the current set, ``aside`` those done already.

    ``model`` is the one to move to, ``old`` the one that its document names; ``seen`` says to the store what this was made of.
    """

    run: int
    owner: str
    hash: str
    ticket: int
    old: Model
    model: Model
    parts: tuple[str, ...]
    shares: tuple[Share, ...]
    skip: Skip
    seen: str
    records: tuple[bytes, ...] = field(repr=False)
    aside: tuple[bytes, ...] = field(repr=False)

    def is_asked(self, face: int) -> bool:
        """Whether a face is in a share."""
        return any(share.has(face) for share in self.shares)

    @property
    def open(self) -> list[bytes]:
        """The current records that are in a share and not done yet."""
        done = {face_id_of(record) for record in self.aside}
        return [each for each in self.records if face_id_of(each) not in done and self.is_asked(face_id_of(each))]

    @property
    def redetects(self) -> bool:
        """Whether faces must be looked for: the detector changes for some face, or for the image as a whole."""
        models = {model_of(record) for record in self.records} or {self.old}
        return not all(same_detector(model, self.model) for model in models)

    @property
    def has_work(self) -> bool:
        """Whether the engine is needed: for a face in a share, or because the detector may find more that are."""
        if any(not self.skip.takes(record) for record in self.open):
            return True
        first, last = face_id(self.ticket, 0), face_id(self.ticket, FACES_PER_IMAGE - 1)
        return self.redetects and any(share.low <= last and share.high >= first for share in self.shares)

    @property
    def chips_suffice(self) -> bool:
        """Whether the encodings can be made of the stored normalized faces."""
        return all(same_alignment(model_of(record), self.model) for record in self.open)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What became of an image's faces: ``records`` for the set aside, and the ids of faces by what happened to them.

    ``moved``: at a new box, or encoded anew at their own. ``kept``: found no new box, encoded anew at the old one. ``unmoved``:
    kept with their old record. ``found``: new ones. ``complete``: no face of the image is missing in the records.
    ``trouble`` says why faces are unmoved.
    """

    records: tuple[bytes, ...] = field(repr=False)
    moved: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    unmoved: tuple[int, ...] = ()
    found: tuple[int, ...] = ()
    complete: bool = True
    trouble: str = ""
    places: Mapping[int, int] = field(default_factory=dict)
    """Of each face that was detected anew the place in the analysis."""

    def counts(self) -> str:
        return " ".join(str(len(ids)) for ids in (self.moved, self.kept, self.unmoved, self.found))

    def note(self) -> str:
        """What the report says of the image; empty when nothing is to be said. Ids as texts, because Lua would round them."""
        told = {"kept": self.kept, "unmoved": self.unmoved, "found": self.found}
        lists: dict[str, Any] = {name: [str(each) for each in ids] for name, ids in told.items() if ids}
        if self.trouble:
            lists["trouble"] = self.trouble
        return json.dumps(lists) if lists else ""


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    common = max(0, height) * max(0, width)
    union = one.area + other.area - common
    return common / union if union else 0.0


def carried(olds: Sequence[Box], news: Sequence[Box]) -> dict[int, int]:
    """Which new box each old one goes to, by their places: pairs of highest IoU first, ties by place, at least SAME_FACE."""
    pairs = sorted(
        (-iou(old, new), here, there)
        for here, old in enumerate(olds)
        for there, new in enumerate(news)
        if iou(old, new) >= SAME_FACE
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, here, there in pairs:
        if here not in found and there not in taken:
            found[here] = there
            taken.add(there)
    return found


def lost_boxes(wanted: Wanted, faces: Sequence[Face]) -> list[Box]:
    """The old boxes that no detected face was found for and that are to be encoded now, in the order of the records."""
    olds = [unpack_face(record)[1].box for record in wanted.records]
    there = carried(olds, [face.box for face in faces])
    todo = {face_id_of(record) for record in wanted.open if not wanted.skip.takes(record)}
    return [
        olds[place] for place, record in enumerate(wanted.records) if place not in there and face_id_of(record) in todo
    ]


def redetected(wanted: Wanted, faces: Sequence[Face], encoded: Mapping[Box, Face]) -> Made:
    """The image after its faces were looked for anew. ``encoded``: the faces at `lost_boxes`; a box may lack there."""
    olds = [unpack_face(record) for record in wanted.records]
    there = carried([face.box for _, face in olds], [face.box for face in faces])
    new: dict[int, bytes] = {}
    kinds: dict[str, list[int]] = {"moved": [], "kept": [], "unmoved": [], "found": []}
    places: dict[int, int] = {}
    for place, (number, old) in enumerate(olds):
        if wanted.skip.takes(wanted.records[place]):
            new[number] = wanted.records[place]
        elif place in there:
            new[number] = pack_face(number, faces[there[place]])
            kinds["moved"].append(number)
            places[number] = there[place]
        elif old.box in encoded:
            new[number] = pack_face(number, _again(old, encoded[old.box]))
            kinds["kept"].append(number)
        else:
            new[number] = wanted.records[place]
            kinds["unmoved"].append(number)
    following = max((number for number, _ in olds), default=wanted.ticket * FACES_PER_IMAGE - 1) + 1
    for place, face in enumerate(faces):
        if place not in there.values():
            new[following] = pack_face(following, face)
            kinds["found"].append(following)
            places[following] = place
            following += 1
    return _merged(wanted, new, kinds, places)


def reencoded(wanted: Wanted, encoded: Mapping[int, Face | Encoding], trouble: str = "") -> Made:
    """The image after faces were encoded at their boxes (a Face), or of their chips; those that lack keep their record."""
    new: dict[int, bytes] = {}
    kinds: dict[str, list[int]] = {"moved": [], "kept": [], "unmoved": [], "found": []}
    for record in wanted.records:
        number, old = unpack_face(record)
        made = encoded.get(number)
        if wanted.skip.takes(record):
            new[number] = record
        elif made is None:
            new[number] = record
            kinds["unmoved"].append(number)
        else:
            face = _again(old, made) if isinstance(made, Face) else replace(old, encoding=made, model=wanted.model)
            new[number] = pack_face(number, face)
            kinds["kept" if trouble else "moved"].append(number)
    merged = _merged(wanted, new, kinds, {}, trouble)
    # Faces that nobody looked for yet may be missing.
    return merged if trouble or not wanted.redetects else replace(merged, complete=False)


def _again(old: Face, made: Face) -> Face:
    """A face at its old box: what was detected stays, what was computed is new."""
    marks = old.marks | (made.marks - {Mark.UNSURE})
    return replace(made, box=old.box, confidence=old.confidence, marks=marks)


def _merged(
    wanted: Wanted, new: dict[int, bytes], kinds: Mapping[str, list[int]], places: Mapping[int, int], trouble: str = ""
) -> Made:
    """Those of the new records that are asked for, beside those that were done before. Each face is made once."""
    done = {face_id_of(record): record for record in wanted.aside}
    fresh = {number: record for number, record in new.items() if number not in done and wanted.is_asked(number)}
    every = done | fresh
    counted = {kind: tuple(number for number in ids if number in every) for kind, ids in kinds.items()}
    return Made(
        records=tuple(every[number] for number in sorted(every)),
        complete=set(new) <= set(every),
        trouble=trouble if counted["unmoved"] or counted["kept"] else "",
        places={number: place for number, place in places.items() if number in fresh},
        **counted,
    )
