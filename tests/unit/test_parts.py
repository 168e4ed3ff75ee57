"""Which parts of the index a search covers."""

from __future__ import annotations

from facerec.faces import Model
from facerec.index import FaceIndex
from facerec.parts import WHOLE, Part, silent, together
from facerec.ports import JournalEntry
from facerec.sets import Sets

OLD, NEW = Model.HOG, Model.CNN
MODELS = OLD.value * 256 + NEW.value
"""What an entry of a regeneration says of current model and model aside."""
BACK = NEW.value * 256 + OLD.value


def answered(sets: Sets, model: Model, position: int) -> bool:
    (part,) = sets.parts(model, position)
    return part.answered


def entry(position: int, operation: str, models: int = 0) -> JournalEntry:
    return JournalEntry(position, operation, "default", "", models, ())


def test_who_is_behind_the_question_does_not_answer() -> None:
    sets = Sets(FaceIndex(7))
    assert [answered(sets, OLD, position) for position in (0, 7, 8)] == [True, True, False]


def test_the_set_aside_answers_for_what_was_asked_before_the_cut_over() -> None:
    sets = Sets(FaceIndex(7))
    sets.apply(entry(8, "open", MODELS))
    assert answered(sets, OLD, 8)
    assert not answered(sets, NEW, 8)  # it is being filled
    sets.apply(entry(9, "switch", BACK))
    assert answered(sets, NEW, 9)
    assert answered(sets, OLD, 8)
    assert not answered(sets, OLD, 9)
    sets.apply(entry(10, "close", BACK))
    assert not answered(sets, OLD, 0)  # nobody has faces of this model any more


def test_a_part_answered_when_it_answered_every_time() -> None:
    one, two = Part("one", answered=True), Part("two", answered=True)
    lost = Part("two", answered=False)
    assert together([]) == ()
    assert together([(one, two), (one, two)]) == (one, two)
    assert together([(one, two), (one, lost), (one, two)]) == (one, lost)
    assert together([(one,), silent((one, two))]) == (Part("one", answered=False), lost)
    assert silent(()) == (Part(WHOLE, answered=False),)


def test_a_part_travels_as_json() -> None:
    part = Part("shard-3", answered=False)
    assert Part.of(part.document()) == part
