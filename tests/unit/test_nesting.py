"""JSON from others that is nested too deeply, however deep the interpreter would go."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from facerec.nesting import MAX_DEPTH, depth, parse_shallow_json
from facerec.services.archive_lines import DamagedLine, parse_line


@pytest.fixture(autouse=True)
def high_recursion_limit() -> Iterator[None]:
    """With it the parser of the standard library would overflow its stack and end the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 0),
        ('{"a": [{}, [1]]}', 3),
        ("[" * 9 + "]" * 9, 9),
        ('["[[[[", "\\"[[", "\\\\", []]', 2),
        ('["\\', 1),
        ('{"[[[[', 1),
        ("]]]][[", 0),
    ],
)
def test_depth(text: str, expected: int) -> None:
    assert depth(text) == expected


def test_what_is_too_deep_is_refused_and_nothing_else() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parse_shallow_json(f"[{deepest[1:-1]}]") is not None
    assert parse_shallow_json("[" + "[]," * 1000 + "1]")[-1] == 1
    with pytest.raises(ValueError, match="deeper"):
        parse_shallow_json(f"[{deepest}]")


def test_a_deep_line_of_an_archive_is_damaged() -> None:
    for line in (b"[" * 1_000_000, b'{"kind": "image", "faces": ' + b'{"a":' * 1_000_000):
        with pytest.raises(DamagedLine):
            parse_line(line)
