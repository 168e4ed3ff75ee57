"""Copy the whole store out and in as lines of JSON (`facerec.archive`), with little memory, while others work on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from facerec.archive import Archive, Counters, DamagedImage, Restoration, StoredImage
from facerec.errors import BadParam, FacerecError, InternalError
from facerec.services.archive_lines import (
    DamagedLine,
    Line,
    before_line,
    before_of,
    image_line,
    image_of,
    key_line,
    key_of,
    member_of,
    parse_line,
)

log = logging.getLogger(__name__)
VERSION = 1
_IMAGES_AT_ONCE = 32
_SHOWN = 1000
_NUMBERS = 1 << 51
"""No ticket and no position is so large."""


@dataclass(slots=True)
class Copied:
    """What was copied. ``damaged``: where, and what is wrong there."""

    images: int = 0
    faces: int = 0
    skipped: int = 0
    """Images that were there already: of an import that was cut off, or uploaded meanwhile."""
    damages: int = 0
    damaged: list[str] = field(default_factory=list)

    def note_damage(self, where: str) -> None:
        """The first thousand are kept, all are counted."""
        self.damages += 1
        if len(self.damaged) < _SHOWN:
            self.damaged.append(where)

    def document(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "faces": self.faces,
            "skipped": self.skipped,
            "damages": self.damages,
            "damaged": self.damaged,
        }


def export_lines(
    archive: Archive, copied: Copied, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[str]:
    """The lines of an archive, without ends of line; ``copied`` is filled meanwhile. Raises StoreUnavailable.

    Each image is as it was at one moment; images that are announced after the first line are not in it. One that is erased
    meanwhile may be, and then the mark of its erasure is, too. One that is damaged is left out and named. The persons of an
    owner, their faces and who of their contacts they are, are those of one moment, that of the first line.
    """
    newest = archive.counters().ticket
    archive.begin()
    try:
        yield from _lines(archive, newest, copied, now)
    finally:
        archive.forget()


def _lines(archive: Archive, newest: int, copied: Copied, now: Callable[[], datetime]) -> Iterator[str]:
    about = {"version": VERSION, "exported_at": now().isoformat(), "images": archive.count(), "ticket": newest}
    yield _json({"kind": "export", **about})
    for image in archive.images(newest):
        yield from _image_lines(image, copied)
    for owner, image_hash in archive.crowd():
        yield _json({"kind": "crowd", "owner": owner, "hash": image_hash})
    for key in archive.others():
        yield _json(key_line(key))
    for before in archive.before():
        yield _json(before_line(before))
    counters = archive.counters()
    ends = {"images": copied.images, "faces": copied.faces, "ticket": counters.ticket, "position": counters.position}
    yield _json({"kind": "end", **ends})


def _image_lines(image: StoredImage | DamagedImage, copied: Copied) -> Iterator[str]:
    """The line of an image; none when it is damaged."""
    if isinstance(image, DamagedImage):
        copied.note_damage(f"{image.owner} {image.hash}: {image.reason}")
        return
    try:
        line = image_line(image)
    except InternalError as error:
        copied.note_damage(f"{image.owner} {image.hash}: {error.reason}")
        return
    yield _json(line)
    _count(copied, image)


def import_lines(lines: Iterable[bytes], restoration: Restoration) -> Copied:
    """Copy an archive in; a damaged line is named by its number and left out. Raises Conflict, DamagedLine, StoreUnavailable.

    Raises DamagedLine only when the very first line is none of an archive. An import that was cut off is taken up again by
    doing it anew.
    """
    return _Import(restoration).run(lines)


class _Import:
    def __init__(self, restoration: Restoration) -> None:
        self._restoration = restoration
        self._copied = Copied()
        self._waiting: list[tuple[int, StoredImage]] = []
        """Images with the numbers of their lines."""
        self._counters: Counters | None = None
        self._newest = 0

    def run(self, lines: Iterable[bytes]) -> Copied:
        numbered = enumerate(lines, 1)
        self._newest = _ticket_of_first(next(numbered, (1, b""))[1])
        self._restoration.begin(self._newest)
        for number, text in numbered:
            try:
                self._take(number, parse_line(text))
            except (DamagedLine, BadParam, InternalError) as error:
                self._note(number, error)
        self._write()
        if self._counters is None:
            self._copied.note_damage("there is no last line: the archive was cut")
        self._restoration.finish(self._counters or Counters(0, 0))
        return self._copied

    def _note(self, number: int, error: FacerecError) -> None:
        """A line is left out. Were it to end the import, no worker could commit until somebody has mended the file."""
        self._copied.note_damage(f"line {number}: {error.reason}")

    def _take(self, number: int, line: Line) -> None:
        if line["kind"] == "image":
            image = image_of(line)
            if int(image.document["ticket"]) > self._newest:
                raise DamagedLine("has a ticket beyond that of the archive")
            self._waiting.append((number, image))
            if len(self._waiting) == _IMAGES_AT_ONCE:
                self._write()
            return
        self._write()
        match line["kind"]:
            case "crowd":
                self._restoration.join_crowd(*member_of(line))
            case "key":
                self._restoration.set(key_of(line))
            case "before":
                self._restoration.set_before(before_of(line))
            case "end":
                self._counters = _counters_of(line)
            case kind:
                raise DamagedLine(f"has the unknown kind {kind[:50]!r}")

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            self._add([image for _, image in waiting])
        except InternalError:
            self._write_one_by_one(waiting)

    def _write_one_by_one(self, waiting: Sequence[tuple[int, StoredImage]]) -> None:
        """The store refused one of these: find which. Those that it has taken already count as being there."""
        for number, image in waiting:
            try:
                self._add([image])
            except InternalError as error:
                self._note(number, error)

    def _add(self, images: Sequence[StoredImage]) -> None:
        for image, is_new in zip(images, self._restoration.add(images), strict=True):
            if is_new:
                _count(self._copied, image)
            else:
                self._copied.skipped += 1


def _ticket_of_first(text: bytes) -> int:
    try:
        line = parse_line(text)
    except DamagedLine as error:
        raise DamagedLine(f"this is no archive, its first line {error.reason}") from error
    ticket = line.get("ticket")
    if line["kind"] != "export" or line.get("version") != VERSION or not isinstance(ticket, int):
        raise DamagedLine(f"this is no archive of version {VERSION}")
    return ticket


def _counters_of(line: Line) -> Counters:
    try:
        counters = Counters(int(line["ticket"]), int(line["position"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedLine(f"has no counters: {error}") from error
    if not (0 <= counters.ticket < _NUMBERS and 0 <= counters.position < _NUMBERS):
        raise DamagedLine(f"has counters that cannot be: {counters}")
    return counters


def _count(copied: Copied, image: StoredImage) -> None:
    copied.images += 1
    copied.faces += len(image.records)
    if copied.images % 100_000 == 0:
        log.info("%d images copied", copied.images, extra={"action": "copy_progress"})


def _json(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))
