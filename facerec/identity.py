"""How images, names, owners and faces are called, and which of those names are refused."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import urlsplit

from facerec.errors import BadParam, TooLarge

DEFAULT_OWNER = "default"
MAX_NAME = 1024
MAX_URL = 2048
_HASH = re.compile(r"[0-9a-f]{64}")
_OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
FACES_PER_IMAGE = 1 << 12
"""A face id is the image's ticket times this, plus the number of the face in its image; below 2**63 and ordered by time."""


def image_hash(image: bytes) -> str:
    """The identity of an image: SHA-256 of its bytes, 64 lower-case hexadecimal characters."""
    return hashlib.sha256(image).hexdigest()


def is_hash(text: str) -> bool:
    """Whether ``text`` can be an image hash."""
    return bool(_HASH.fullmatch(text))


def is_owner(text: str) -> bool:
    """Whether ``text`` can be an owner's name."""
    return bool(_OWNER.fullmatch(text))


def check_hash(text: str) -> str:
    """``text`` when it is an image hash. Raises BadParam."""
    if not is_hash(text):
        raise BadParam("hash", "an image hash has 64 lower-case hexadecimal characters", text[:100])
    return text


def check_name(text: str) -> str:
    """``text`` when it can be the name of an image. Raises BadParam.

    Control characters are refused because they forge lines in logs and terminals, and because the store separates owner
    and key by one of them. ``..`` is refused as a path segment although no path is ever made of a name: clients that
    save by name would be led astray.
    """
    if not text or len(text) > MAX_NAME:
        raise BadParam("name", f"a name has 1 to {MAX_NAME} characters", text[:100])
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} for sign in text):
        raise BadParam("name", "a name has no control characters", text[:100])
    if ".." in text.split("/"):
        raise BadParam("name", "a name has no .. in its path", text[:100])
    return text


def check_url(text: str) -> str:
    """``text`` when it can be the name of an image at a URL; says nothing of whether it may be fetched. Raises BadParam."""
    if not text or len(text) > MAX_URL:
        raise BadParam("url", f"a URL has 1 to {MAX_URL} characters", text[:100])
    if any(unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp", "Zs"} for sign in text):
        raise BadParam("url", "a URL has no spaces or control characters", text[:100])
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise BadParam("url", "this is no URL: its host or port cannot be read", text[:100]) from error
    if not parts.scheme:
        raise BadParam("url", "a URL begins with http:// or https://", text[:100])
    return text


def check_image_name(text: str) -> str:
    """``text`` when it can be what an image is called: a file name or a URL. Raises BadParam."""
    try:
        return check_name(text)
    except BadParam:
        # A URL may be longer than a file name, and may have .. in its path.
        return check_url(text)


def check_owner(text: str) -> str:
    """``text`` when it can be an owner's name, whatever else it may be. Raises BadParam."""
    if not isinstance(text, str) or not is_owner(text):
        raise BadParam("owner", "an owner has 1 to 48 characters of a-z, 0-9, _ and -", str(text)[:100])
    return text


def face_id(ticket: int, number: int) -> int:
    """The id of the ``number``-th face of the image that was first announced by ``ticket``."""
    if not 0 <= number < FACES_PER_IMAGE:
        raise BadParam("face", f"an image has at most {FACES_PER_IMAGE} faces", number)
    return ticket * FACES_PER_IMAGE + number


def check_face_count(count: int) -> None:
    """Raises TooLarge when an image cannot have so many faces."""
    if count > FACES_PER_IMAGE:
        raise TooLarge(f"{count} faces, and an image may have {FACES_PER_IMAGE}")


def ticket_of(face: int) -> int:
    """The ticket of the image that a face id belongs to."""
    return face // FACES_PER_IMAGE
