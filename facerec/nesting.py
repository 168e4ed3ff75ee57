"""JSON from others: as deep as ours ever is, and with numbers that can be counted with."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_DEPTH = 32
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|([\[{])|[\]}]', re.DOTALL)
"""A string, to its end or that of the text; a bracket that opens; a bracket that closes."""


def parse_shallow_json(text: str) -> Any:
    """What ``json.loads`` gives. Raises ValueError when it is no JSON, nested deeper than MAX_DEPTH, or holds NaN or infinity.

    The parser of the standard library goes as deep as the interpreter lets it, which may be deeper than its stack bears.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH and depth(text) > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return json.loads(text, parse_constant=_no_number, parse_float=finite)


def finite(text: str) -> float:
    """The number that a text says. Raises ValueError for none, NaN, infinity, and what is too large for a float."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number to count with")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def depth(text: str) -> int:
    """The most brackets that are open at once in a JSON text, those in strings not among them."""
    deepest = now = 0
    for token in _TOKENS.finditer(text):
        if token[1]:
            now += 1
            deepest = max(deepest, now)
        elif token[0][0] != '"':
            now -= 1
    return deepest
