"""An engine child: a process of its own for work on pictures that nobody vouches for.

``python -m worker.child READ,WRITE PARENT`` reads tasks from one file descriptor and answers on the other until it is closed. The
first frame holds its settings; its environment holds no secrets.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from facerec.engine import FaceEngine, open_engine
from facerec.engine.fake import FakeEngine
from facerec.engine.options import EngineOptions
from facerec.engine.renderings import render
from facerec.errors import ChildDied, FacerecError, UnsupportedImage
from facerec.faces import Analysis, Box, Face, Model, Renderings
from facerec.identity import check_face_count
from facerec.records import split_records
from facerec.wire import FramePipe, Task, analysis_frame
from worker.replies import error_document

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""
GIVING_WAY = 10
"""How much nicer than normal a child for bulk work is, so that one for which a person waits gets the processor first."""


class Engines:
    """The engines of a child, opened when first asked for."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._own = Model(settings["model"])
        self._options = EngineOptions(**settings["options"])
        self._open: dict[Model, FaceEngine] = {}

    def get(self, model: Model | None) -> FaceEngine:
        """Raises ModelMissing."""
        wanted = model or self._own
        if wanted not in self._open:
            self._open[wanted] = self._make(wanted)
        return self._open[wanted]

    def _make(self, model: Model) -> FaceEngine:
        if self._settings["engine"] == "fake":
            return FakeEngine(model, self._options)
        return open_engine(model, self._options, Path(self._settings["cache"]), self._settings["device"])

    def render(self, image: bytes, analysis: Analysis) -> Renderings | None:
        """What people look at; None for what only a fake engine takes for a picture. Raises what `pictures.decode` raises."""
        try:
            return render(image, [face.box for face in analysis.faces], self._options)
        except UnsupportedImage:
            if self._settings["engine"] == "fake":
                return None
            raise


def analyse(engines: Engines, task: Task) -> Analysis:
    """Do a task. Raises what the engine raises, and TooLarge. Chips and renderings are sent back only when they were asked for."""
    engine = engines.get(task.model)
    if task.chips:
        encodings = engine.encode_chips(list(split_records(task.image)))
        faces = tuple(Face(Box(0, 0, 0, 0), (), 0.0, each, engine.model) for each in encodings)
        return Analysis(0, 0, engine.model, faces)
    analysis = engine.faces(task.image) if task.boxes is None else engine.compute(task.image, task.boxes)
    if task.boxes is None:
        check_face_count(len(analysis.faces))
    if not task.pictures:
        return replace(analysis, chips=())
    return replace(analysis, renderings=engines.render(task.image, analysis))


def serve(pipe: FramePipe) -> None:
    """Answer tasks until the parent closes the pipe."""
    settings, _ = pipe.receive()
    if settings["gives_way"]:
        os.nice(GIVING_WAY)
    engines = Engines(settings)
    try:
        pipe.send({"ok": True, "device": engines.get(None).device})
    except FacerecError as error:
        pipe.send({"ok": False, "code": error.code, "reason": error.reason})
        return
    while True:
        header, body = pipe.receive()
        try:
            pipe.send(*analysis_frame(analyse(engines, Task.from_frame(header, body))))
        except ChildDied:
            raise
        except FacerecError as error:
            pipe.send({"ok": False} | error_document(error))


def end_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent is gone: one that hangs would not notice the closed pipe.

    Only Linux can do that; elsewhere a child that hangs while its parent is killed stays behind.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    reading, writing = (int(number) for number in sys.argv[1].split(","))
    # The parent decides when to stop; a Ctrl-C in the terminal reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    end_with_parent(int(sys.argv[2]))
    try:
        serve(FramePipe(reading, writing))
    except ChildDied:
        return


if __name__ == "__main__":
    main()
