"""The dead letters of the broker in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from facerec.adapters.memory.queues import MemoryQueues, Message, decode_headers, encode_headers
from facerec.letters import dead_letter, redriven_headers
from facerec.ports import DeadLetter
from facerec.topology import DEAD_QUEUE, SCAN_KEY, WORK_EXCHANGE


class MemoryDeadLetters:
    """`facerec.ports.DeadLetterBox`."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues

    def count(self) -> int:
        with self._queues.reached():
            return self._queues.count(DEAD_QUEUE)

    def list(self, limit: int) -> list[DeadLetter]:
        seen: list[DeadLetter] = []

        def look(letter: DeadLetter, _message: Message) -> bool:
            seen.append(letter)
            return False

        self._sift(look)
        return seen[:limit]

    def redrive(
        self,
        predicate: Callable[[DeadLetter], bool],
        prepare: Callable[[DeadLetter], Mapping[str, Any]] = lambda _letter: {},
        expected: int | None = None,  # noqa: ARG002 - nobody else holds a letter here
    ) -> Sequence[DeadLetter]:
        def publish(letter: DeadLetter, message: Message) -> bool:
            if not predicate(letter):
                return False
            headers = redriven_headers(decode_headers(message.headers), prepare(letter))
            self._queues.publish(WORK_EXCHANGE, SCAN_KEY, Message(encode_headers(headers), message.body))
            return True

        return self._sift(publish)

    def drop(
        self,
        predicate: Callable[[DeadLetter], bool],
        expected: int | None = None,  # noqa: ARG002 - nobody else holds a letter here
    ) -> Sequence[DeadLetter]:
        return self._sift(lambda letter, _message: predicate(letter))

    def _sift(self, takes: Callable[[DeadLetter, Message], bool]) -> Sequence[DeadLetter]:
        """Take out the letters that ``takes`` picks."""
        taken, kept = [], []
        with self._queues.reached():
            try:
                while (message := self._queues.take(DEAD_QUEUE)) is not None:
                    kept.append(message)
                    letter = dead_letter(decode_headers(message.headers), len(message.body))
                    if takes(letter, message):
                        taken.append(letter)
                        kept.pop()
            finally:
                for message in reversed(kept):
                    self._queues.give_back(DEAD_QUEUE, message)
        return taken
