"""An engine child that a hostile picture has taken over: it answers a task with the bytes of the task's picture, as they are.

``python -m tests.hostile_child READ,WRITE PARENT``, in the place of ``worker.child``.
"""

from __future__ import annotations

import os
import sys

from facerec.errors import ChildDied
from facerec.wire import FramePipe


def main() -> None:
    reading, writing = (int(number) for number in sys.argv[1].split(","))
    pipe = FramePipe(reading, writing)
    pipe.receive()
    pipe.send({"ok": True, "device": "cpu"})
    os.set_blocking(writing, True)
    while True:
        try:
            _, image = pipe.receive()
        except ChildDied:
            return
        os.write(writing, image)


if __name__ == "__main__":
    main()
