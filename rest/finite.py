"""Answers are JSON, which has no NaN and no infinity: what a caller sends may hold them, and an answer repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from flask.json.provider import DefaultJSONProvider


class FiniteJson(DefaultJSONProvider):
    """Flask's JSON, in the order in which it was made, with null for a number that JSON has not."""

    sort_keys = False

    def dumps(self, obj: Any, **options: Any) -> str:
        try:
            return super().dumps(obj, allow_nan=False, **options)
        except ValueError:
            return super().dumps(_finite(obj), allow_nan=False, **options)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
