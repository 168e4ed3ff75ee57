"""Small real pictures, each unlike all others, that the front door lets pass and the fake engine understands."""

from __future__ import annotations

import io
import itertools
import json
import os
from typing import Any

from PIL import Image

from facerec.engine.fake import MARK

_numbers = itertools.count()


def drawing(text: bytes = b"") -> bytes:
    """A PNG of a few pixels; ``text`` tells the fake engine what to do with it (`facerec.engine.fake`)."""
    out = io.BytesIO()
    unique = os.getpid().to_bytes(4, "big") + next(_numbers).to_bytes(4, "big") + os.urandom(4)
    Image.frombytes("RGB", (2, 2), unique).save(out, "PNG")
    return out.getvalue() + (MARK + text if text else b"")


def showing(*people: str, **more: Any) -> bytes:
    """A picture that shows these people, for the fake engine: pictures that share one match."""
    return drawing(b"FACES:" + json.dumps({"faces": [{"person": person} for person in people], **more}).encode())
