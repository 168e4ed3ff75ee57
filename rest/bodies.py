"""Reading request bodies: no more bytes than allowed, never on disk."""

from __future__ import annotations

import io
from typing import IO, Any, TypeVar, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from facerec.engine.kinds import GZIP
from facerec.errors import BadParam, TooLarge

T = TypeVar("T")
_PIECE = 256 * 1024
_MULTIPART_EXTRA = 64 * 1024
"""What boundaries, part headers and small fields may add to a file."""
_MULTIPART_PARTS = 16
_SHOWN = 100


def read_body(call: Request, limit: int) -> bytes:
    """The body, chunked or not. Raises TooLarge, while reading, beyond ``limit`` bytes; BadParam when it ends early."""
    stream = call.environ["wsgi.input"]
    expected = call.content_length
    try:
        if expected is not None:
            return _read_known(stream, expected, limit)
        if call.environ.get("wsgi.input_terminated"):
            return _read_unknown(stream, limit)
    except OSError as error:
        raise BadParam("body", f"the body could not be read: {error}") from error
    return b""


def _read_known(stream: IO[bytes], expected: int, limit: int) -> bytes:
    if expected > limit:
        raise _too_large(limit)
    body = bytes(stream.read(expected))
    if len(body) < expected:
        raise BadParam("body", f"the body ended after {len(body)} of {expected} bytes")
    return body


def _read_unknown(stream: IO[bytes], limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := stream.read(_PIECE):
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"more than {limit} bytes")


def plain(body: bytes) -> bytes:
    """A body that is JSON or a form. Raises BadParam for one that is compressed: nobody undoes that here."""
    if body.startswith(GZIP):
        raise BadParam("body", "the body is compressed with gzip: send it as it is")
    return body


def is_multipart(call: Request) -> bool:
    return call.mimetype == "multipart/form-data"


Files = dict[str, tuple[str, bytes]]
"""Name and bytes of each file of a form, by the name of its part."""


def read_form(call: Request, limit: int) -> tuple[dict[str, str], Files]:
    """Fields and files of a multipart body, none of them there twice. Raises TooLarge, BadParam."""
    fields, files = read_form_of_lists(call, limit)
    return {name: _only(name, values) for name, values in fields.items()}, files


def read_form_of_lists(call: Request, limit: int) -> tuple[dict[str, list[str]], Files]:
    """As `read_form`, with every value of a field that is there several times. Files are not: no part may be overlooked.

    The form is parsed in memory: what werkzeug does by itself may put a file on disk.
    """
    boundary = call.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadParam("body", "the Content-Type names no boundary")
    body = plain(read_body(call, limit + _MULTIPART_EXTRA))
    # The parser's own limit of memory would count files, too; the body's is enough.
    parser = MultiPartParser(_in_memory, max_form_memory_size=None, max_form_parts=_MULTIPART_PARTS)
    try:
        fields, files = parser.parse(io.BytesIO(body), boundary.encode("ascii"), len(body))
    except RequestEntityTooLarge as error:
        raise TooLarge(f"the form has more than {_MULTIPART_PARTS} parts") from error
    except ValueError as error:
        raise BadParam("body", f"the multipart body cannot be read: {error}") from error
    parts = {name: _only(name, found) for name, found in files.lists()}
    # getvalue() of an io.BytesIO shares its memory, read() copies it.
    read = {name: (part.filename or "", cast("io.BytesIO", part.stream).getvalue()) for name, part in parts.items()}
    for _, content in read.values():
        if len(content) > limit:
            raise _too_large(limit)
    return dict(fields.lists()), read


def _only(name: str, values: list[T]) -> T:
    if len(values) > 1:
        raise BadParam(name[:_SHOWN], "given more than once")
    return values[0]


def _in_memory(*_: Any, **__: Any) -> io.BytesIO:
    return io.BytesIO()


def read_image(call: Request, limit: int) -> bytes:
    """The image bytes: the body itself, or the part ``file`` of a multipart body. Raises TooLarge, BadParam."""
    if not is_multipart(call):
        return read_body(call, limit)
    fields, files = read_form(call, limit)
    for name in [*fields, *files]:
        if name != "file":
            raise BadParam(name, "the only part of the form is the file")
    return the_file(files)[1]


def the_file(files: Files) -> tuple[str, bytes]:
    """Name and bytes of the part ``file``. Raises BadParam when it is missing."""
    if "file" not in files:
        raise BadParam("file", "the multipart body has no part 'file' with a file name")
    return files["file"]
