"""Which networks made an encoding. Apart from `facerec.faces`, so that settings can be read before numpy is imported."""

from __future__ import annotations

from enum import Enum


class Model(Enum):
    """Detector + landmarks + encoder. Encodings of two models are never compared.

    The numbers 1 to 4 are those of the Nextcloud app; ``REFERENCE`` is plain ``face_recognition``.
    """

    REFERENCE = 0
    CNN = 1
    CNN_68 = 2
    HOG = 3
    CNN_HOG = 4


def parse_model(text: str) -> Model:
    """A model by its number (1 to 4) or name (``hog``, ``cnn``, ``cnn_68``, ``cnn_hog``, ``reference``). Raises ValueError."""
    names = {model.name.lower(): model for model in Model} | {str(model.value): model for model in Model if model.value}
    if text.lower() not in names:
        raise ValueError(f"must be one of {', '.join(sorted(names))}")
    return names[text.lower()]
