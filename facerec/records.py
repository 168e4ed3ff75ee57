"""The face record: one face as bytes, in database 3, in the journal and between processes.

Layout, little-endian, version 1::

    offset  size  what
    0       1     version (1)
    1       1     model (facerec.faces.Model)
    2       1     marks (bits of facerec.faces.Mark)
    3       1     shift: landmarks are stored divided by 2**shift, 0 unless the record would grow over 700 bytes
    4       8     face id, unsigned
    12      16    bounding box: top, right, bottom, left, signed 32 bit each
    28      4     confidence, float32
    32      512   encoding, 128 float32
    544     ...   landmarks: x, y, x, y ... each the difference to the point before it (the first to the box's left and
                  top) as a zigzag varint (the coding of Protocol Buffers)

With 5 landmarks a record takes about 555 bytes, with 68 about 690.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from facerec.errors import InternalError
from facerec.faces import ENCODING_LENGTH, Box, Encoding, Face, Mark, Model, Point

VERSION = 1
MAX_RECORD = 700
_HEAD = struct.Struct("<BBBBQiiiif")
_MODELS = frozenset(model.value for model in Model)
_COARSEST = 31
"""No landmark is shifted by more bits."""
_MARKS = sum(mark.value for mark in Mark)
_ENCODING_END = _HEAD.size + 4 * ENCODING_LENGTH
Heads = NDArray[np.void]
"""Many records without their landmarks, as rows of HEAD."""
HEAD = np.dtype(
    {
        "names": ["version", "model", "marks", "id", "encoding"],
        "formats": ["u1", "u1", "u1", "<u8", ("<f4", ENCODING_LENGTH)],
        "offsets": [0, 1, 2, 4, _HEAD.size],
        "itemsize": _ENCODING_END,
    }
)


def pack_face(face_id: int, face: Face, coarseness: int = 0) -> bytes:
    """The record of ``face``, with landmarks shifted by ``coarseness`` or more."""
    encoding = np.ascontiguousarray(face.encoding, dtype="<f4").tobytes()
    for shift in range(coarseness, _COARSEST + 1):
        landmarks = _pack_points(face.landmarks, face.box, shift)
        if _ENCODING_END + len(landmarks) <= MAX_RECORD:
            break
    marks = sum(mark.value for mark in face.marks)
    box = face.box
    head = _HEAD.pack(
        VERSION, face.model.value, marks, shift, face_id, box.top, box.right, box.bottom, box.left, face.confidence
    )
    return head + encoding + landmarks


def unpack_face(record: bytes) -> tuple[int, Face]:
    """The face id and face of a record. Raises InternalError when it is damaged."""
    if not is_whole(record):
        raise InternalError(f"damaged face record of {len(record)} bytes")
    _, model, marks, shift, face_id, top, right, bottom, left, confidence = _HEAD.unpack_from(record)
    box = Box(top, right, bottom, left)
    return face_id, Face(
        box=box,
        landmarks=_unpack_points(record[_ENCODING_END:], box, shift),
        confidence=confidence,
        encoding=encoding_of(record),
        model=Model(model),
        marks=frozenset(mark for mark in Mark if mark.value & marks),
    )


class PackedFaces(Sequence[Face]):
    """Faces that stay records until somebody looks at them: most are only written again, under other ids.

    Raises InternalError when a record is damaged; looking at a face does not raise.
    """

    def __init__(self, records: Iterable[bytes]) -> None:
        self.records = tuple(records)
        for record in self.records:
            if not is_sound(record):
                raise InternalError(f"damaged face record of {len(record)} bytes")

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int) -> Face: ...

    @overload
    def __getitem__(self, place: slice) -> PackedFaces: ...

    def __getitem__(self, place: int | slice) -> Face | PackedFaces:
        if isinstance(place, slice):
            return PackedFaces(self.records[place])
        return unpack_face(self.records[place])[1]


def records_of(faces: Sequence[Face], ids: Iterable[int]) -> tuple[bytes, ...]:
    """The records of ``faces`` under these ids."""
    if isinstance(faces, PackedFaces):
        return tuple(_under(face_id, record) for face_id, record in zip(ids, faces.records, strict=True))
    return tuple(pack_face(face_id, face) for face_id, face in zip(ids, faces, strict=True))


def _under(face_id: int, record: bytes) -> bytes:
    return record[:4] + face_id.to_bytes(8, "little") + record[12:]


def is_sound(record: bytes) -> bool:
    """Whether all of it can be read, and is as `pack_face` makes it."""
    if not is_whole(record) or len(record) > MAX_RECORD or record[2] > _MARKS or record[3] > _COARSEST:
        return False
    landmarks = record[_ENCODING_END:]
    numbers = sum(byte < 0x80 for byte in landmarks)
    return numbers % 2 == 0 and (not landmarks or landmarks[-1] < 0x80)


def is_whole(record: bytes) -> bool:
    """Whether everything but the landmarks can be read from it."""
    return len(record) >= _ENCODING_END and record[0] == VERSION and record[1] in _MODELS


def are_whole(heads: Heads) -> NDArray[np.bool_]:
    """For each of many records whether everything but the landmarks can be read from it."""
    whole: NDArray[np.bool_] = (heads["version"] == VERSION) & np.isin(heads["model"], list(_MODELS))
    return whole


def face_id_of(record: bytes) -> int:
    """The face id alone, without unpacking the rest."""
    return int.from_bytes(record[4:12], "little")


def shift_of(record: bytes) -> int:
    """How coarse the landmarks are stored."""
    return record[3]


def model_of(record: bytes) -> Model:
    return Model(record[1])


def confidence_of(record: bytes) -> float:
    """The detector's score alone."""
    (confidence,) = struct.unpack_from("<f", record, 28)
    return float(confidence)


def is_comparable(record: bytes) -> bool:
    """False when the quality filter marked the face."""
    return record[2] == 0


def encoding_of(record: bytes) -> Encoding:
    """The encoding alone, shape (128,), float32."""
    return np.frombuffer(record, dtype="<f4", count=ENCODING_LENGTH, offset=_HEAD.size)


def encoding_bytes(record: bytes) -> bytes:
    """The encoding alone as it is stored, 512 bytes."""
    return record[_HEAD.size : _ENCODING_END]


def join_records(records: Iterable[bytes]) -> bytes:
    """Many records as one text: each behind its length as an unsigned 32 bit little-endian number."""
    return b"".join(struct.pack("<I", len(record)) + record for record in records)


def split_records(joined: bytes) -> Iterator[bytes]:
    """The records of `join_records`. Raises InternalError when the text is cut."""
    start = 0
    while start < len(joined):
        if start + 4 > len(joined):
            raise InternalError("cut list of face records")
        (size,) = struct.unpack_from("<I", joined, start)
        if start + 4 + size > len(joined):
            raise InternalError("cut list of face records")
        yield joined[start + 4 : start + 4 + size]
        start += 4 + size


def _pack_points(points: tuple[Point, ...], box: Box, shift: int) -> bytes:
    out = bytearray()
    last_x, last_y = box.left >> shift, box.top >> shift
    for point in points:
        x, y = point.x >> shift, point.y >> shift
        _append_varint(out, x - last_x)
        _append_varint(out, y - last_y)
        last_x, last_y = x, y
    return bytes(out)


def _unpack_points(packed: bytes, box: Box, shift: int) -> tuple[Point, ...]:
    deltas = _varints(packed)
    x, y = box.left >> shift, box.top >> shift
    points = []
    for delta_x, delta_y in zip(deltas[::2], deltas[1::2], strict=True):
        x, y = x + delta_x, y + delta_y
        points.append(Point(x << shift, y << shift))
    return tuple(points)


def _append_varint(out: bytearray, number: int) -> None:
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)


def _varints(packed: bytes) -> list[int]:
    numbers, value, bits = [], 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << bits
        bits += 7
        if byte < 0x80:
            numbers.append(value >> 1 if value & 1 == 0 else -((value + 1) >> 1))
            value, bits = 0, 0
    return numbers
