"""An HTML report of the faces that were identified lately: GET /report."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from html import escape
from typing import Any

from facerec.plugins.handlers import BaseHandler

KEPT = 100
_seen: dict[str, deque[tuple[str, list[dict[str, Any]]]]] = defaultdict(lambda: deque(maxlen=KEPT))


class Report(BaseHandler):
    async def get(self) -> str:
        rows = "".join(self._row(box, matches) for box, matches in reversed(_seen[self.user]))
        galleries = ", ".join(await self.ctx.galleries.find(self.user))
        return (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Identified faces</title>"
            f"<h1>Identified faces</h1><p>Galleries: {escape(galleries)}</p>"
            f"<table><tr><th>Box<th>Who<th>Confidence</tr>{rows}</table></html>"
        )

    @staticmethod
    def _row(box: str, matches: list[dict[str, Any]]) -> str:
        if not matches:
            return f"<tr><td>{escape(box)}<td><em>unknown</em><td></tr>"
        best = matches[0]
        name = escape(best["face"]["meta"] or f"face {best['face']['id']}")
        return f"<tr><td>{escape(box)}<td>{name}<td>{best['confidence']:.3f}</tr>"


def remember(owner: str, results: Mapping[str, Any]) -> None:
    """Called after each identify."""
    _seen[owner].extend((box, list(matches)) for box, matches in results.items())


def activate(app: Any, ctx: Any, options: Any) -> None:  # noqa: ARG001 - every plugin gets all three
    """Called once at the start."""
    app.add_handlers(".*", [(r"/report/?", Report)])
    ctx.hooks.add_after_identify(__name__, remember)
