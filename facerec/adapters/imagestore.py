"""Pictures on whatever fsspec can write to: a folder, or an S3 bucket.

One folder an image, ``<root>/<owner>/<first two of hash>/<hash>/<ticket>/<name>``: no part of a key comes from a client but
through a check (owner, hash) or as a number, so no name that a client chose ever becomes a path.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from fsspec.core import url_to_fs

from facerec.errors import ConfigError, ImageStoreRefusesWrites, ImageStoreUnavailable
from facerec.identity import check_hash, check_owner
from facerec.ports import ImageStore, Place

_KINDS = ("file", "s3", "memory")
_PART = ".part"
_PROBE = ".probe"
"""What is written to see whether anything can be: one name, so that no process that dies leaves more than one. No owner has it."""
_ROOM = 16 * 1024 * 1024
"""Bytes that a folder has free at least: a disk that takes a few bytes and no picture is full."""


def open_image_store(url: str) -> ImageStore:
    """The store behind IMAGE_STORE: ``none``, ``file:///folder``, ``s3://bucket/folder``; ``memory://`` for tests.

    Nothing connects yet. Credentials and endpoint of S3 are found as the AWS tools find them. Raises ConfigError.
    """
    if url == "none":
        return NoImageStore()
    kind = url.partition("://")[0]
    if kind not in _KINDS or "::" in url:
        raise ConfigError(f"IMAGE_STORE={url!r}: must be none, or begin with file:// or s3://")
    return FsspecImageStore(url, kind)


class NoImageStore:
    """`facerec.ports.ImageStore` that keeps nothing."""

    kind = "none"

    def put(self, place: Place, pictures: Mapping[str, bytes]) -> None:
        pass

    def get(self, place: Place, name: str) -> bytes | None:  # noqa: ARG002 - the port's
        return None

    def erase(self, owner: str, image_hash: str, ticket: int) -> int:  # noqa: ARG002 - the port's
        return 0

    def expire(self, before: float) -> int:  # noqa: ARG002 - the port's
        return 0

    def ping(self) -> None:
        pass

    def check_writes(self) -> None:
        pass


class FsspecImageStore:
    """`facerec.ports.ImageStore` over a file system of fsspec."""

    def __init__(self, url: str, kind: str) -> None:
        self.kind = kind
        self._url = url

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        if self.kind != "s3":
            return (OSError,)
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - there only where S3 is used

        return OSError, BotoCoreError, ClientError

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        """Turn what file systems raise into ours."""
        try:
            yield
        except self._errors as error:
            raise ImageStoreUnavailable(f"the image store: {_reason(error)}") from error

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        # Its own instance without listings kept from before: other processes write there, too.
        options = {"auto_mkdir": True} if self.kind == "file" else {}
        filesystem, root = url_to_fs(self._url, use_listings_cache=False, skip_instance_cache=True, **options)
        return filesystem, root.rstrip("/")

    @property
    def _files(self) -> Any:
        return self._opened[0]

    def put(self, place: Place, pictures: Mapping[str, bytes]) -> None:
        folder = self._folder(place)
        with self._mapped_errors():
            if self.kind == "file":
                for name, content in pictures.items():
                    self._put_whole(f"{folder}/{name}", content)
            else:
                self._files.pipe({f"{folder}/{name}": content for name, content in pictures.items()})

    def _put_whole(self, path: str, content: bytes) -> None:
        """A reader sees the old file or the new one: S3 promises that by itself, a folder does by renaming."""
        part = f"{path}.{uuid4().hex}{_PART}"
        try:
            self._files.pipe_file(part, content)
            self._files.mv(part, path)
        except OSError:
            # A full disk: what came of it must not make it fuller at every try.
            with suppress(OSError):
                self._files.rm_file(part)
            raise

    def get(self, place: Place, name: str) -> bytes | None:
        with self._mapped_errors():
            try:
                return bytes(self._files.cat_file(f"{self._folder(place)}/{name}"))
            except FileNotFoundError:
                return None

    def erase(self, owner: str, image_hash: str, ticket: int) -> int:
        with self._mapped_errors():
            folders = self._folders(self._image_folder(owner, image_hash))
            tickets = {folder: _last(folder) for folder in folders}
            # Other programs lay folders of their own beside pictures.
            return sum(self._remove(each) for each, its in tickets.items() if its.isdecimal() and int(its) <= ticket)

    def expire(self, before: float) -> int:
        removed = 0
        with self._mapped_errors():
            for owner in self._folders(self._opened[1]):
                for shard in self._folders(owner):
                    removed += self._expire_shard(shard, before)
        return removed

    def _expire_shard(self, shard: str, before: float) -> int:
        newest: dict[str, float] = {}
        for path, entry in self._files.find(shard, detail=True).items():
            folder = path.rpartition("/")[0]
            newest[folder] = max(newest.get(folder, 0.0), _written_at(entry))
        return sum(self._remove(folder) for folder, written in newest.items() if written < before)

    def ping(self) -> None:
        with self._mapped_errors():
            self._files.exists(self._opened[1])

    def check_writes(self) -> None:
        try:
            self._write_probe()
        except self._errors as error:
            raise ImageStoreRefusesWrites(f"the image store takes no pictures: {_reason(error)}") from error

    def _write_probe(self) -> None:
        files, root = self._opened
        try:
            files.pipe_file(f"{root}/{_PROBE}", b"probe")
        finally:
            # It is not there when nothing could be written, or when another process did the same at this moment.
            with suppress(FileNotFoundError, NotADirectoryError):
                files.rm_file(f"{root}/{_PROBE}")
        if self.kind == "file" and shutil.disk_usage(root).free < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _folder(self, place: Place) -> str:
        return f"{self._image_folder(place.owner, place.hash)}/{int(place.ticket)}"

    def _image_folder(self, owner: str, image_hash: str) -> str:
        return f"{self._opened[1]}/{check_owner(owner)}/{check_hash(image_hash)[:2]}/{image_hash}"

    def _folders(self, path: str) -> list[str]:
        try:
            found = self._files.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return [entry["name"].rstrip("/") for entry in found if entry["type"] == "directory"]

    def _remove(self, folder: str) -> int:
        """How many pictures the folder had; one that somebody else removes meanwhile had none."""
        try:
            count = sum(not path.endswith(_PART) for path in self._files.find(folder))
            self._files.rm(folder, recursive=True)
        except FileNotFoundError:
            return 0
        if self.kind == "file":
            # One empty folder for each image that was ever erased would stay. It is not empty when the image came again.
            with suppress(OSError):
                self._files.rmdir(folder.rpartition("/")[0])
        return count


def _reason(error: Exception) -> str:
    """What the system says of it; nothing that would name a path or a bucket."""
    if isinstance(error, PermissionError):
        return os.strerror(errno.EACCES)
    return getattr(error, "strerror", None) or type(error).__name__


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _written_at(entry: Mapping[str, Any]) -> float:
    """Seconds since the epoch; each file system has its own word for it."""
    written = entry.get("mtime") or entry.get("LastModified") or entry["created"]
    return written.timestamp() if isinstance(written, datetime) else float(written)
