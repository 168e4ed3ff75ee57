"""An HTML report of the faces that were identified lately: GET /report.

What it shows is what this process of the front end answered, so it wants REST_PROCESSES=1, which is the default.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from html import escape
from typing import Any

from facerec.plugins.handlers import BaseHandler

KEPT = 100
STYLE = """
body { font: 16px/1.4 system-ui, sans-serif; margin: 2rem; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #ccc; padding: .4rem 1rem; text-align: left; }
td img { height: 64px; display: block; }
"""
_seen: dict[str, deque[tuple[str, list[dict[str, Any]]]]] = defaultdict(lambda: deque(maxlen=KEPT))


class Report(BaseHandler):
    async def get(self) -> str:
        rows = "".join(self._row(box, matches) for box, matches in reversed(_seen[self.user]))
        galleries = ", ".join(await self.ctx.galleries.find(self.user))
        return (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Identified faces</title>"
            '<link rel="stylesheet" href="/report/style.css">'
            f"<h1>Identified faces</h1><p>Galleries: {escape(galleries)}</p>"
            f"<table><tr><th>Box<th>Best match<th>Who<th>Confidence</tr>{rows}</table></html>"
        )

    @staticmethod
    def _row(box: str, matches: list[dict[str, Any]]) -> str:
        if not matches:
            return f"<tr><td>{escape(box)}<td><td><em>unknown</em><td></tr>"
        face = matches[0]["face"]
        name = escape(face["meta"] or f"face {face['id']}")
        picture = f'<img src="/v1/face/id/{face["id"]}/thumbnail" alt="{name}">' if face["thumbnail"] else ""
        return f"<tr><td>{escape(box)}<td>{picture}<td>{name}<td>{matches[0]['confidence']:.3f}</tr>"


class Style(BaseHandler):
    def get(self) -> str:
        self.content_type = "text/css"
        return STYLE


def remember(owner: str, results: Mapping[str, Any]) -> None:
    """Called after each identify."""
    _seen[owner].extend((box, list(matches)) for box, matches in results.items())


def activate(app: Any, ctx: Any, options: Any) -> None:  # noqa: ARG001 - every plugin gets all three
    """Called once at the start."""
    app.add_handlers(".*", [(r"/report/?", Report), (r"/report/style\.css", Style)])
    ctx.hooks.add_after_identify(__name__, remember)
