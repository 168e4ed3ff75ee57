"""A picture with boxes drawn, as SVG: the pixels are only passed on, so the front door decodes nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

_LINE = 1 / 240
"""Width of a line as a part of the picture's longer side."""
_NO_XML = re.compile("[\ufffe\uffff]")
"""What a name may hold and an XML document may not, not even escaped."""
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def overlay_svg(document: Mapping[str, Any], preview: bytes) -> str:
    """An SVG in the pixels of the upright original: ``preview`` (a JPEG of the same shape) and a frame for each face."""
    width, height = int(document["width"]), int(document["height"])
    line = max(1.0, max(width, height) * _LINE)
    picture = base64.b64encode(preview).decode("ascii")
    frames = "".join(_frame(face, line) for face in document["faces"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{escape(_NO_XML.sub(_REPLACEMENT, ', '.join(document['names'])))}</title>"
        f'<image href="data:image/jpeg;base64,{picture}" width="{width}" height="{height}"'
        f' preserveAspectRatio="none"/>{frames}</svg>'
    )


def _frame(face: Mapping[str, Any], line: float) -> str:
    """A light frame on a dark one, to be seen on any picture."""
    box = {side: int(face["box"][side]) for side in ("top", "right", "bottom", "left")}
    place = (
        f'x="{box["left"]}" y="{box["top"]}" width="{max(0, box["right"] - box["left"])}"'
        f' height="{max(0, box["bottom"] - box["top"])}" rx="{2 * line:g}" fill="none"'
    )
    return (
        f'<g><title>face {int(face["id"])}</title><rect {place} stroke="#000" stroke-opacity=".6"'
        f' stroke-width="{2 * line:g}"/><rect {place} stroke="#fff" stroke-width="{line:g}"/></g>'
    )
