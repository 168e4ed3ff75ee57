"""Moving everything to another model while it serves: what people can ask for, and what they are told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from facerec.errors import BadParam, Conflict
from facerec.faces import Model
from facerec.model import parse_model
from facerec.ports import Workers
from facerec.records import face_id_of, model_of
from facerec.regenerate import Share, Skip, parse_parts, same_detector
from facerec.regeneration import Regenerations, Run

NOTES_SHOWN = 10_000
"""Images of which a report says something by name."""
DAY = 86400.0
_DETECTORS = {"hog": Model.HOG, "cnn": Model.CNN, "cnn_hog": Model.CNN_HOG}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a regeneration should do. ``model`` '' and ``detector`` '' stay with the current ones; ``workers`` 0: as many jobs
    as fit.

    ``keep_days``: how long the old set is kept after the cut-over.
    """

    regenerate: str = "encodings"
    model: str = ""
    detector: str = ""
    min_id: int = 0
    max_id: int = (1 << 63) - 1
    every_other: int = 1
    every_other_offset: int = 0
    workers: int = 0
    encoding_size: str = ""
    keep_days: float = 7.0

    def share(self) -> Share:
        return Share(self.min_id, self.max_id, self.every_other, self.every_other_offset)

    def target(self, base: Model) -> Model:
        """The model to move to. Raises BadParam."""
        model = _model("model", self.model) if self.model else None
        if not self.detector:
            return model or base
        if self.detector not in _DETECTORS:
            raise BadParam("detector", f"must be one of {', '.join(sorted(_DETECTORS))}", self.detector[:50])
        own = _DETECTORS[self.detector]
        if model is not None and not same_detector(model, own):
            raise BadParam("detector", "is not that of the model", self.detector)
        return model or (base if same_detector(base, own) else own)

    def skip(self) -> Skip:
        """Raises BadParam."""
        text = self.encoding_size.strip()
        if not text or text == "-1":
            return Skip()
        if text.isdecimal() and int(text) > len(Model):
            return Skip(length=int(text))
        return Skip(model=_model("encoding_size", text))


class Regeneration:
    """Starts and steers. Every method may raise StoreUnavailable. ``clock`` gives seconds since the epoch."""

    def __init__(self, store: Regenerations, workers: Workers, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._workers = workers
        self._clock = clock

    def start(self, wishes: Wishes) -> dict[str, Any]:
        """Begin, or add a share to what runs. Raises BadParam, Conflict."""
        base = self._base()
        is_new, number = self._store.start(
            wishes.target(base),
            base,
            parse_parts(wishes.regenerate),
            wishes.share(),
            wishes.skip(),
            wishes.workers,
            wishes.keep_days * DAY,
        )
        return {"started": is_new, **(self.status() or {"run": number})}

    def status(self) -> dict[str, Any] | None:
        """How it goes; None when there is no regeneration."""
        run = self._store.current()
        return None if run is None else status_document(run, self._clock())

    def preview(self, wishes: Wishes) -> dict[str, Any]:
        """What `start` would do, without doing it. Raises BadParam, Conflict."""
        base = self._base()
        model, share, skip = wishes.target(base), wishes.share(), wishes.skip()
        images = faces = skipped = redetected = 0
        for records in self._store.records():
            chosen = [record for record in records if share.has(face_id_of(record))]
            images += bool(chosen)
            faces += len(chosen)
            skipped += sum(skip.takes(record) for record in chosen)
            redetected += any(not same_detector(model_of(record), model) for record in chosen)
        return {
            "phase": "none",
            "model": _name(model),
            "from": _name(base),
            "regenerate": list(parse_parts(wishes.regenerate)),
            "images": images,
            "faces": faces,
            "skipped": skipped,
            "images_to_detect": redetected,
        }

    def act(self, action: str) -> dict[str, Any]:
        """One of `facerec.regeneration.ACTIONS`. Raises Conflict."""
        self._store.act(action)
        return self.status() or {}

    def report(self) -> dict[str, Any] | None:
        """Of the regeneration that runs, else of the last; None when there was none."""
        run = self._store.current()
        return self._store.last() if run is None else report_document(run, self._store.notes())

    def _base(self) -> Model:
        """The model of the current set. Raises Conflict when it is not to be known."""
        fixed = self._store.model()
        if fixed is not None:
            return fixed
        models = {str(worker.get("model")) for worker in self._workers.workers().values()}
        if len(models) != 1:
            raise Conflict("workers must run, all with one MODEL" if models else "no worker runs")
        return _model("model", models.pop())


def status_document(run: Run, now: float) -> dict[str, Any]:
    """``rate`` in images a second since the start, ``seconds_left`` at that rate; both None while nothing is done."""
    seconds = max(0.001, now - run.started_at)
    left = max(0, run.total - run.done)
    rate = run.done / seconds if run.done else None
    return {
        "run": run.run,
        "phase": run.phase,
        "switched": run.switched,
        "model": _name(run.model),
        "from": _name(run.base),
        "current_model": _name(run.base if run.aside_model is run.model else run.model),
        "regenerate": list(run.parts),
        "images": run.total,
        "done": run.done,
        "looked_at": run.walked,
        "waiting": run.waiting - run.parked,
        "in_no_share": run.parked,
        "rate": None if rate is None else round(rate, 3),
        "seconds_left": round(left / rate, 1) if rate and run.phase == "running" else None,
        "seconds": round(seconds, 1),
        "old_set_until": run.until,
        "trouble": run.trouble,
        **_counts(run),
    }


def report_document(run: Run, notes: Iterable[tuple[str, str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Counts of faces by what happened to them, and by name each image of which there is more to say than that it moved."""
    images = [
        {"owner": owner, "hash": image_hash, **_numbers(note)} for owner, image_hash, note in islice(notes, NOTES_SHOWN)
    ]
    return {
        "run": run.run,
        "phase": run.phase,
        "model": _name(run.model),
        "from": _name(run.base),
        "images": run.total,
        "done": run.done,
        **_counts(run),
        "missing_originals": _hashes(images, "missing original"),
        "changed_originals": _hashes(images, "changed original"),
        "notes": images,
    }


def _counts(run: Run) -> dict[str, Any]:
    return {
        "moved": run.moved,
        "not_found_again": run.kept,
        "not_encoded": run.unmoved,
        "newly_found": run.found,
        "links_gained": run.gained if run.counted else None,
        "links_lost": run.lost if run.counted else None,
    }


def _numbers(note: Mapping[str, Any]) -> dict[str, Any]:
    """Ids as numbers again, in the words of the report."""
    words = {"kept": "not_found_again", "unmoved": "not_encoded", "found": "newly_found"}
    return {
        words.get(name, name): value if isinstance(value, str) else [int(each) for each in value]
        for name, value in note.items()
    }


def _hashes(images: Iterable[Mapping[str, Any]], trouble: str) -> list[str]:
    return sorted(str(image["hash"]) for image in images if image.get("trouble") == trouble)


def _name(model: Model) -> str:
    return model.name.lower()


def _model(param: str, text: str) -> Model:
    try:
        return parse_model(text)
    except ValueError as error:
        raise BadParam(param, str(error), text[:50]) from error
