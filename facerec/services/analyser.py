"""Age, gender and emotions, by an analyser that the operator brings; without one a clear error says so."""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from facerec.errors import AnalyserFailed, ConfigError, NoAnalyser
from facerec.faces import Box
from facerec.ports import Analyser, Attributes

log = logging.getLogger(__name__)
NAMES = ("gender", "age", "emotions")
GENDERS = ("male", "female")
EMOTIONS = 2


class Attributing:
    """Asks the analyser, if there is one, and believes only what can be."""

    def __init__(self, analyser: Analyser | None) -> None:
        self._analyser = analyser

    def check(self, wanted: Collection[str]) -> None:
        """Raises NoAnalyser when something is wanted and nobody can tell it."""
        if wanted and self._analyser is None:
            (name, *_) = wanted
            raise NoAnalyser(name, "this service has no analyser of age, gender and emotions (ANALYSER)", value=True)

    def of_faces(self, photo: bytes, boxes: Sequence[Box], wanted: Collection[str]) -> list[dict[str, Any]]:
        """For each box what is wanted of gender, age and emotions, as it is answered. Raises NoAnalyser, AnalyserFailed."""
        self.check(wanted)
        if self._analyser is None or not wanted or not boxes:
            return [{} for _ in boxes]
        try:
            told = [_document(each, wanted) for each in self._analyser.look(photo, boxes, wanted)]
        except Exception as error:
            log.exception("the analyser failed", extra={"action": "analyser_failed"})
            raise AnalyserFailed("the analyser of age, gender and emotions failed") from error
        if len(told) != len(boxes):
            raise AnalyserFailed(f"the analyser answered for {len(told)} faces of {len(boxes)}")
        return told


def load_analyser(entry: str) -> Analyser | None:
    """What ``module:factory`` makes, called without arguments; None for ''. Raises ConfigError."""
    if not entry:
        return None
    module, _, factory = entry.partition(":")
    try:
        analyser: Analyser = getattr(importlib.import_module(module), factory)()
    except Exception as error:
        raise ConfigError(f"ANALYSER={entry!r}: {type(error).__name__}: {error}") from error
    if not callable(getattr(analyser, "look", None)):
        raise ConfigError(f"ANALYSER={entry!r}: what it makes has no method look")
    return analyser


def texts_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as they are stored with a face."""
    return {name: ",".join(value) if name == "emotions" else str(value) for name, value in document.items()}


def document_of(stored: Mapping[str, str]) -> dict[str, Any]:
    """What of age, gender and emotions is stored with a face, as it is answered."""
    document: dict[str, Any] = {}
    if "gender" in stored:
        document["gender"] = stored["gender"]
    if "age" in stored:
        document["age"] = float(stored["age"])
    if "emotions" in stored:
        document["emotions"] = stored["emotions"].split(",")
    return document


def _document(told: Attributes, wanted: Collection[str]) -> dict[str, Any]:
    """Raises ValueError for what cannot be."""
    document: dict[str, Any] = {}
    if "gender" in wanted:
        if told.gender not in GENDERS:
            raise ValueError(f"gender {told.gender!r}")
        document["gender"] = told.gender
    if "age" in wanted:
        if told.age is None or not math.isfinite(told.age) or told.age < 0:
            raise ValueError(f"age {told.age!r}")
        document["age"] = float(told.age)
    if "emotions" in wanted:
        if len(told.emotions) != EMOTIONS or not all(name.isidentifier() for name in told.emotions):
            raise ValueError(f"emotions {told.emotions!r}")
        document["emotions"] = list(told.emotions)
    return document
