"""How long finished pictures wait for others, so that one look through the index serves several.

A look costs the same for a few pictures as for one: every known encoding is read. Under load, pictures that come one by one
would each pay for it, and the engine would get what is left of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

REST = 50
"""After a commit the next may wait this many times as long as that took: commits then take about 2 % of a processor."""
LONGEST = 0.2
"""Seconds of waiting at most."""


class Pace:
    """For use by one thread."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def worked(self, seconds: float) -> None:
        """A commit that took ``seconds`` has just ended."""
        self._until = self._clock() + min(LONGEST, REST * seconds)

    def left(self, in_hand: int, under_way: int) -> float:
        """Seconds that ``in_hand`` finished pictures may wait for others of the ``under_way``, themselves included.

        When half of them are in hand they wait no more: the engine needs room for new ones.
        """
        return max(0.0, self._until - self._clock()) if 2 * in_hand < under_way else 0.0
