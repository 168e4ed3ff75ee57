"""Places at which plugins are called. One that fails is named in the log, and the call goes on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from facerec.enrolment import Wish
from facerec.galleries import StoredFace

log = logging.getLogger(__name__)
BeforeStore = Callable[[str, Wish], Wish | None]
AfterStore = Callable[[str, Sequence[StoredFace]], None]
AfterIdentify = Callable[[str, Mapping[str, Any]], None]


class Hooks:
    """Called in the order in which they were added."""

    def __init__(self) -> None:
        self._before_store: list[tuple[str, BeforeStore]] = []
        self._after_store: list[tuple[str, AfterStore]] = []
        self._after_identify: list[tuple[str, AfterIdentify]] = []

    def add_before_store(self, plugin: str, hook: BeforeStore) -> None:
        """``hook(owner, wish)`` may give another wish for a photo that is about to be stored."""
        self._before_store.append((plugin, hook))

    def add_after_store(self, plugin: str, hook: AfterStore) -> None:
        """``hook(owner, faces)`` sees the faces that were stored."""
        self._after_store.append((plugin, hook))

    def add_after_identify(self, plugin: str, hook: AfterIdentify) -> None:
        """``hook(owner, results)`` sees the results as they are answered."""
        self._after_identify.append((plugin, hook))

    def before_store(self, owner: str, wish: Wish) -> Wish:
        for plugin, hook in self._before_store:
            with guarded(plugin):
                changed = hook(owner, wish)
                wish = wish if changed is None else changed
        return wish

    def after_store(self, owner: str, faces: Sequence[StoredFace]) -> None:
        for plugin, hook in self._after_store:
            with guarded(plugin):
                hook(owner, faces)

    def after_identify(self, owner: str, results: Mapping[str, Any]) -> None:
        for plugin, hook in self._after_identify:
            with guarded(plugin):
                hook(owner, results)


@contextmanager
def guarded(plugin: str) -> Iterator[None]:
    """Nothing that a plugin does inside ends the caller; its error is logged with its name."""
    try:
        yield
    except (Exception, SystemExit):
        log.exception("plugin %s failed", plugin, extra={"action": "plugin_failed", "plugin": plugin})
