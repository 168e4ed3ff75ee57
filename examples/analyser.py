"""An analyser of age, gender and emotions: ``ANALYSER=examples.analyser:make``, with the folder above on PYTHONPATH.

It shows the shape and nothing else: it measures boxes, where yours would ask a model. `look` gets the photo's bytes and the boxes
of its faces; cut them out, run your model, answer one `Attributes` a box. It runs in the front end, in several threads at
once; a heavy model belongs in a process of its own that `look` calls.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from facerec.faces import Box
from facerec.ports import Attributes


class BoxMeasurer:
    """Says of a face what its box measures."""

    def look(self, photo: bytes, boxes: Sequence[Box], wanted: Collection[str]) -> list[Attributes]:  # noqa: ARG002
        return [self._of(box) for box in boxes]

    @staticmethod
    def _of(box: Box) -> Attributes:
        width, height = box.right - box.left, box.bottom - box.top
        gender = "male" if height > width else "female"
        return Attributes(gender, width / 2, ("neutral", "happy") if width > 50 else ("happy", "neutral"))


def make() -> BoxMeasurer:
    """Called once at the start."""
    return BoxMeasurer()
