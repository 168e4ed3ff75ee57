"""What the stores of a plugin's context have in common: documents with attributes, and what is there for old plugins' sake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Document(dict[str, Any]):
    """A dictionary whose keys are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Store:
    """Base of faces, galleries, persons, cameras and users."""

    async def wrap_in_model(self, document: Mapping[str, Any] | None) -> Document | None:
        """``document`` with its keys as attributes, too; None stays None. What the stores return is wrapped already."""
        return None if document is None else Document(document)

    async def ensure_indexes(self) -> None:
        """Nothing is left to do: what is searched by is written in the same step as what is found by it."""
