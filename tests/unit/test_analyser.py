"""Age, gender and emotions: what is believed of an analyser."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from facerec.errors import AnalyserFailed, ConfigError, NoAnalyser
from facerec.faces import Box
from facerec.ports import Attributes
from facerec.services.analyser import NAMES, Attributing, document_of, load_analyser, texts_of

BOXES = [Box(1, 3, 3, 1), Box(5, 9, 9, 5)]
GOOD = Attributes("female", 31.5, ("happy", "neutral"))


class Analyst:
    def __init__(self, *told: Any) -> None:
        self.told = told

    def look(self, photo: bytes, boxes: Sequence[Box], wanted: Any) -> Sequence[Attributes]:
        if self.told == (None,):
            raise RuntimeError("no model")
        return self.told


def test_only_what_is_wanted_is_told_and_survives_the_store() -> None:
    attributing = Attributing(Analyst(GOOD, GOOD))
    told = attributing.of_faces(b"", BOXES, ("age", "emotions"))
    assert told == [{"age": 31.5, "emotions": ["happy", "neutral"]}] * 2
    (whole, _) = attributing.of_faces(b"", BOXES, NAMES)
    assert document_of(texts_of(whole)) == whole == {"gender": "female", **told[0]}
    assert attributing.of_faces(b"", [], NAMES) == []


def test_nobody_is_asked_unless_something_is_wanted() -> None:
    assert Attributing(Analyst(None)).of_faces(b"", BOXES, ()) == [{}, {}]
    assert Attributing(None).of_faces(b"", BOXES, ()) == [{}, {}]
    with pytest.raises(NoAnalyser) as error:
        Attributing(None).of_faces(b"", BOXES, ("age",))
    assert error.value.param == "age"


@pytest.mark.parametrize(
    "told",
    [
        (None,),
        (GOOD,),
        (GOOD, "female"),
        (GOOD, Attributes("robot", 1.0, ("a", "b"))),
        (GOOD, Attributes("male", float("nan"), ("a", "b"))),
        (GOOD, Attributes("male", -1.0, ("a", "b"))),
        (GOOD, Attributes("male", 1.0, ("a",))),
        (GOOD, Attributes("male", 1.0, ("a", "b,c"))),
    ],
)
def test_what_cannot_be_is_an_error_of_the_analyser(told: tuple[Any, ...]) -> None:
    with pytest.raises(AnalyserFailed):
        Attributing(Analyst(*told)).of_faces(b"", BOXES, NAMES)


def test_an_analyser_is_named_by_module_and_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("our_analyser")
    module.__dict__.update(make=Analyst, dumb=SimpleNamespace, number=5)
    monkeypatch.setitem(sys.modules, "our_analyser", module)
    assert isinstance(load_analyser("our_analyser:make"), Analyst)
    assert load_analyser("") is None
    for entry in ("no_such_module:make", "our_analyser:nothing", "our_analyser:number", "our_analyser:dumb"):
        with pytest.raises(ConfigError, match="ANALYSER"):
            load_analyser(entry)
