"""Finds and activates plugins: modules with ``activate(app, ctx, options)`` in the folders of PLUGINS_DIRS.

They are activated in the order of PLUGINS_ENABLED; ``*`` stands for all others, by name. One that fails is named in the log and
left out.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from facerec.errors import ConfigError
from facerec.plugins.context import Context
from facerec.plugins.hooks import guarded

log = logging.getLogger(__name__)


class PluginApp(Protocol):
    """What ``activate`` gets as ``app``."""

    def add_handlers(self, host: str, handlers: Iterable[tuple[str, type[Any]]]) -> None:
        """Handle paths (regular expressions) by classes; a host is a regular expression, too."""

    def register_blueprint(self, blueprint: Any) -> None:
        """A Flask blueprint."""


def find_plugins(folders: Sequence[Path], enabled: Sequence[str]) -> list[tuple[str, Path]]:
    """Names and files of the enabled plugins, in order. Raises ConfigError for one that is nowhere."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                found.setdefault(path.stem, path)
    names: dict[str, None] = {}
    for name in enabled:
        if name == "*":
            names |= dict.fromkeys(other for other in sorted(found) if other not in enabled)
        elif name in found:
            names[name] = None
        else:
            raise ConfigError(
                f"PLUGINS_ENABLED: there is no {name}.py in {', '.join(map(str, folders)) or 'PLUGINS_DIRS'}"
            )
    return [(name, found[name]) for name in names]


def activate_plugins(plugins: Sequence[tuple[str, Path]], app_of: Any, ctx: Context, options: Any) -> list[str]:
    """Activate each; ``app_of(name)`` makes its ``app``. The names of those that did not fail."""
    active = []
    for name, path in plugins:
        with guarded(name):
            module = _load(name, path)
            module.activate(app_of(name), ctx, options)
            active.append(name)
            log.info("plugin %s is active", name, extra={"action": "plugin_active", "plugin": name})
    return active


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"facerec_plugin_{name}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
