"""Photos: a file of a multipart body, a URL, or base64 (also as a data: URL)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from facerec.errors import BadParam, TooLarge
from facerec.identity import check_image_name, check_url, image_hash
from rest.context import services
from rest.findface.params import Params


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """``name`` is what its image is called: the URL or the file's name, else its hash."""

    name: str
    body: bytes = field(repr=False)


def read_photo(params: Params, name: str = "photo") -> Photo:
    """The photo in a parameter, of a type and size that can be looked at.

    Raises BadParam, ForbiddenUrl, FetchFailed, FetchTimeout, TooLarge, UnsupportedImage, UnreadableImage.
    """
    settings = services().settings
    photo = _read(params, name)
    if len(photo.body) > settings.rest.max_upload_bytes:
        raise TooLarge(f"more than {settings.rest.max_upload_bytes} bytes")
    services().probe(photo.body, settings.max_pixels)
    return photo


def _read(params: Params, name: str) -> Photo:
    if name in params.files:
        file_name, body = params.files[name]
        return Photo(_name(file_name, body), body)
    text = params.values.get(name)
    if not isinstance(text, str) or not text:
        raise BadParam(name, "a photo is a file, a URL, or base64")
    if text.startswith(("http://", "https://")):
        check_url(text)
        return Photo(text, services().fetcher.fetch(text))
    return _decoded(name, text)


def _decoded(name: str, text: str) -> Photo:
    if text.startswith("data:"):
        _, _, text = text.partition(",")
    try:
        body = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParam(name, "is neither an http(s) URL nor base64", text[:100]) from error
    return Photo(image_hash(body), body)


def _name(file_name: str, body: bytes) -> str:
    try:
        return check_image_name(file_name)
    except BadParam:
        return image_hash(body)
