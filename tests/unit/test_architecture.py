"""The direction of the arrows: who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for top in ("facerec", "rest", "worker") for path in (ROOT / top).rglob("*.py"))
CORE = sorted((ROOT / "facerec").glob("*.py"))

CLIENT_LIBRARIES = {
    "pika": ("facerec/adapters/rabbitmq/",),
    "redis": ("facerec/adapters/redis/", "facerec/local/"),
    "requests": ("facerec/adapters/fetch", "facerec/client/", "facerec/adapters/webhook"),
    "urllib3": ("facerec/adapters/fetch", "facerec/client/", "facerec/adapters/webhook"),
    "fsspec": ("facerec/adapters/imagestore",),
    "dlib": ("facerec/engine/",),
    "onnx": ("facerec/engine/",),
    "onnxruntime": ("facerec/engine/",),
    "face_recognition": ("facerec/engine/",),
    "PIL": ("facerec/engine/",),
    "pillow_heif": ("facerec/engine/",),
    "flask": ("rest/",),
    "gunicorn": ("rest/",),
}
DECODERS = ("PIL", "_pillow_heif", "pillow_heif", "dlib", "onnx", "onnxruntime", "face_recognition")
COMPOSITION_ROOTS = (
    "rest/wsgi.py",
    "rest/__main__.py",
    "worker/__main__.py",
    "facerec/__main__.py",
    "facerec/cli/",
    "facerec/contacts/wiring.py",
    "facerec/local/",
)
MAY_NAME_ADAPTERS = ("facerec/adapters/", *COMPOSITION_ROOTS)
CORE_MAY_IMPORT = {"numpy", "jsonpickle"}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at its top or inside, with the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def under(*folders: str) -> list[Path]:
    """The modules below these folders; there are some."""
    found = [path for path in MODULES if name_of(path).startswith(folders)]
    assert found
    return found


def offences(paths: Iterable[Path], is_wrong: Callable[[str], bool]) -> list[str]:
    """``file:line: module`` of each import of a module whose name is wrong there."""
    return [f"{name_of(path)}:{line}: {module}" for path in paths for module, line in imports(path) if is_wrong(module)]


def package(module: str) -> str:
    return module.partition(".")[0]


def test_the_shared_package_knows_neither_front_nor_back() -> None:
    assert offences(under("facerec/"), lambda module: package(module) in {"rest", "worker", "tests"}) == []


def test_the_front_door_knows_nothing_of_the_back_room_and_of_faces() -> None:
    forbidden = {"worker", "dlib", "onnx", "onnxruntime", "face_recognition"}
    assert offences(under("rest/"), lambda module: package(module) in forbidden) == []


def test_the_front_door_knows_of_pictures_what_their_headers_tell() -> None:
    forbidden = under("rest/", "facerec/services/", "facerec/contacts/", "facerec/plugins/")
    allowed = ("facerec.engine.headers", "facerec.engine.kinds", "facerec.engine.memory")
    assert offences(forbidden, lambda name: name.startswith("facerec.engine") and not name.startswith(allowed)) == []


def test_the_front_end_loads_no_decoder_and_no_face_code() -> None:
    """Asked of a process of its own: what is not loaded decodes nothing, whatever the picture."""
    code = "import sys, rest.wsgi, rest.__main__; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "'flask'" in loaded
    assert [name for name in DECODERS if f"'{name}'" in loaded] == []


def test_the_back_room_knows_nothing_of_the_front_door() -> None:
    assert offences(under("worker/"), lambda module: package(module) in {"rest", "flask"}) == []


def test_the_core_needs_the_standard_library_and_numpy_alone() -> None:
    allowed = sys.stdlib_module_names | CORE_MAY_IMPORT | {"facerec"}
    outward = ("facerec.adapters", "facerec.services", "facerec.cli", "facerec.local", "facerec.client")
    core = [path for path in CORE if name_of(path) not in COMPOSITION_ROOTS]
    assert core
    assert offences(core, lambda module: package(module) not in allowed or module.startswith(outward)) == []


@pytest.mark.parametrize("library", CLIENT_LIBRARIES)
def test_a_client_library_is_imported_by_its_adapter_alone(library: str) -> None:
    others = [path for path in MODULES if not name_of(path).startswith(CLIENT_LIBRARIES[library])]
    assert offences(others, lambda module: package(module) == library) == []


def test_only_composition_roots_name_concrete_adapters() -> None:
    others = [path for path in MODULES if not name_of(path).startswith(MAY_NAME_ADAPTERS)]
    assert offences(others, lambda module: module.startswith("facerec.adapters")) == []


def test_the_environment_is_read_in_config_alone() -> None:
    read = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        if name_of(path) != "facerec/config.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os"
    ]
    assert read == []


@pytest.mark.parametrize("decoder", ["pickle.load", "jsonpickle.decode"])
def test_nothing_decodes_objects_from_messages(decoder: str) -> None:
    assert [name_of(path) for path in MODULES if decoder in path.read_text(encoding="utf-8")] == []


def test_an_import_that_is_forbidden_is_seen_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    module = tmp_path / "late.py"
    module.write_text("import os\ndef late() -> None:\n    from rest.app import create_app\n")
    assert offences([module], lambda name: package(name) == "rest") == ["late.py:3: rest.app"]
