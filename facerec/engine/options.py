"""What the caller may ask of an engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Settings of a face engine; the same for every picture it sees.

    ``detect_max_area``: pixels the detector works at; a larger picture is shrunk for it.
    ``max_pixels``: a picture with more is refused from its header, before anything is decoded.
    ``upsample``: how often the detector's picture is doubled; None is the model's own default (HOG 1, CNN 0).
    ``smallest_face``: side in pixels of the full-size picture; a smaller face gets ``Mark.SMALL`` (0: none does).
    ``jitter``: encodings averaged over that many shifted, turned and mirrored chips, as dlib does; 0 and 1 mean none.
    ``min_confidence``: the detector's threshold, in its own score; None is its default (0 for both detectors).
    ``quality_filter``: mark small, unsure, blurred and turned faces. A marked face is still returned.
    ``chips``: also return the aligned faces as PNG.
    ``threads``: threads of one engine; one process per core is faster than one process with many threads.
    """

    detect_max_area: int = 2_000_000
    max_pixels: int = 100_000_000
    upsample: int | None = None
    smallest_face: int = 0
    jitter: int = 0
    min_confidence: float | None = None
    quality_filter: bool = False
    chips: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        for name, lowest in (
            ("detect_max_area", 1),
            ("max_pixels", 1),
            ("smallest_face", 0),
            ("jitter", 0),
            ("threads", 1),
        ):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be at least {lowest}")
        if self.upsample is not None and not 0 <= self.upsample <= 4:
            raise ValueError("upsample must be 0 to 4")
