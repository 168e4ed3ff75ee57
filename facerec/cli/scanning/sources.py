"""Which pictures are to be scanned, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facerec.cli.errors import UsageError

PICTURE_TYPES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif"})
"""Endings of the files that are taken from a folder; a file that is named itself is always taken."""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture and its name: a path relative to the base with ``/`` between its parts, or the URL when ``path`` is None."""

    name: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder or the command line held; ``passed_over`` counts files that do not look like pictures."""

    items: tuple[Item, ...]
    passed_over: int


def find_items(sources: Sequence[str], base: Path, *, recursive: bool) -> Found:
    """The pictures that ``sources`` (paths of files and folders, and URLs) stand for, in a stable order.

    Raises UsageError for a path that is not there, a folder without ``recursive`` that holds folders alone is no error,
    and for two files that would get one name.
    """
    names: dict[str, Item] = {}
    passed_over = 0
    for source in sources:
        for path in [None] if is_url(source) else _files(Path(source), recursive=recursive):
            if path is not None and path.suffix.lower() not in PICTURE_TYPES and path != Path(source):
                passed_over += 1
                continue
            item = Item(source, None) if path is None else Item(_name(path, Path(source), base), path)
            known = names.setdefault(item.name, item)
            if known.path is not None and path is not None and _absolute(known.path) != _absolute(path):
                raise UsageError(f"{known.path} and {path} would both be called {item.name!r}: choose another --base")
    return Found(tuple(names.values()), passed_over)


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _files(source: Path, *, recursive: bool) -> Iterator[Path]:
    if source.is_dir():
        yield from _files_in(source, recursive=recursive)
    elif source.exists():
        yield source
    else:
        raise UsageError(f"{source} is not there")


def _files_in(folder: Path, *, recursive: bool) -> Iterator[Path]:
    """Hidden files and folders are passed over, links to folders are not followed: they may lead round in circles."""
    for place, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place) / name


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename}: {error.strerror}") from error


def _name(path: Path, source: Path, base: Path) -> str:
    """Relative to ``base``; of a place outside it, relative to what holds the file or folder that was named."""
    absolute = _absolute(path)
    for start in (_absolute(base), _absolute(source).parent):
        if absolute.is_relative_to(start):
            return absolute.relative_to(start).as_posix()
    raise UsageError(f"{path} has no name")


def _absolute(path: Path) -> Path:
    """Without ``..``, and without following links: a link is called as it is called."""
    return Path(os.path.normpath(Path.cwd() / path))
