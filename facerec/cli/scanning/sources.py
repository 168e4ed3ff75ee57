"""Which pictures are to be scanned, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from facerec.cli.errors import UsageError

PICTURE_TYPES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif"})
"""Endings of the files that are taken from a folder; a file that is named itself is always taken."""
EXCLUDED = ("@eaDir", "@Recycle", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders of network storage and file systems with thumbnails, old versions, or what was thrown away. Those whose names begin with
a full stop, as .thumbnails and .git, are hidden and passed over anyway."""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture and its name: a path relative to the base with ``/`` between its parts, or the URL when ``path`` is None."""

    name: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder or the command line held; ``passed_over`` counts files that do not look like pictures, ``unreadable`` are
    folders and why they cannot be looked into."""

    items: tuple[Item, ...]
    passed_over: int
    unreadable: Mapping[str, str]


def find_items(sources: Sequence[str], base: Path, *, recursive: bool, exclude: Sequence[str] = ()) -> Found:
    """The pictures that ``sources`` (paths of files and folders, and URLs) stand for, in a stable order.

    What is in a folder is left out when its name, or its path below the source, fits one of the patterns ``exclude`` or EXCLUDED.

    Raises UsageError for a path that is not there, a folder without ``recursive`` that holds folders alone is no error,
    and for two files that would get one name.
    """
    names: dict[str, Item] = {}
    passed_over = 0
    tree = _Tree(recursive, (*EXCLUDED, *exclude), {})
    for source in sources:
        for path in [None] if is_url(source) else tree.files(Path(source)):
            if path is not None and path.suffix.lower() not in PICTURE_TYPES and path != Path(source):
                passed_over += 1
                continue
            item = Item(source, None) if path is None else Item(_name(path, Path(source), base), path)
            known = names.setdefault(item.name, item)
            if known.path is not None and path is not None and _absolute(known.path) != _absolute(path):
                raise UsageError(f"{known.path} and {path} would both be called {item.name!r}: choose another --base")
    return Found(tuple(names.values()), passed_over, tree.unreadable)


def is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class _Tree:
    """How folders are walked through; ``unreadable`` gains those that cannot be looked into."""

    recursive: bool
    exclude: tuple[str, ...]
    unreadable: dict[str, str]

    def files(self, source: Path) -> Iterator[Path]:
        """The source itself when it is no folder. Raises UsageError."""
        if source.is_dir():
            yield from self._files_in(source)
        elif source.exists():
            yield source
        else:
            raise UsageError(f"{source} is not there")

    def _files_in(self, source: Path) -> Iterator[Path]:
        """Hidden files and folders are passed over, links to folders are not followed: they may lead round in circles."""
        for place, folders, files in os.walk(source, onerror=self._note):
            folder = Path(place)
            folders[:] = (
                sorted(name for name in folders if self._takes(folder / name, source)) if self.recursive else []
            )
            yield from (folder / name for name in sorted(files) if self._takes(folder / name, source))

    def _takes(self, path: Path, source: Path) -> bool:
        below = path.relative_to(source).as_posix()
        is_excluded = any(fnmatchcase(below if "/" in pattern else path.name, pattern) for pattern in self.exclude)
        return not (is_excluded or path.name.startswith("."))

    def _note(self, error: OSError) -> None:
        self.unreadable[str(error.filename)] = str(error.strerror)


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
