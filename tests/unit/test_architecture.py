"""The direction of the arrows: who may import whom, and who may read the environment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
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
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def ids(path: Path) -> str:
    return name_of(path)


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).startswith("facerec/")], ids=ids)
def test_the_shared_package_knows_neither_front_nor_back(path: Path) -> None:
    assert [found for found in imports(path) if found[0].split(".")[0] in {"rest", "worker", "tests"}] == []


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).startswith("rest/")], ids=ids)
def test_the_front_door_knows_nothing_of_the_back_room_and_of_faces(path: Path) -> None:
    forbidden = ("worker", "dlib", "onnx", "onnxruntime", "face_recognition")
    assert [found for found in imports(path) if found[0].split(".")[0] in forbidden] == []


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path).startswith("worker/")], ids=ids)
def test_the_back_room_knows_nothing_of_the_front_door(path: Path) -> None:
    assert [found for found in imports(path) if found[0].split(".")[0] in {"rest", "flask"}] == []


@pytest.mark.parametrize("path", [path for path in CORE if name_of(path) not in COMPOSITION_ROOTS], ids=ids)
def test_the_core_needs_the_standard_library_and_numpy_alone(path: Path) -> None:
    allowed = sys.stdlib_module_names | CORE_MAY_IMPORT | {"facerec"}
    assert [found for found in imports(path) if found[0].split(".")[0] not in allowed] == []
    outward = ("facerec.adapters", "facerec.services", "facerec.cli", "facerec.local", "facerec.client")
    assert [found for found in imports(path) if found[0].startswith(outward)] == []


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_a_client_library_is_imported_by_its_adapter_alone(path: Path) -> None:
    for module, line in imports(path):
        homes = CLIENT_LIBRARIES.get(module.split(".")[0])
        assert homes is None or name_of(path).startswith(homes), f"line {line}: {module}"


@pytest.mark.parametrize("path", [p for p in MODULES if not name_of(p).startswith(MAY_NAME_ADAPTERS)], ids=ids)
def test_only_composition_roots_name_concrete_adapters(path: Path) -> None:
    assert [found for found in imports(path) if found[0].startswith("facerec.adapters")] == []


@pytest.mark.parametrize("path", [path for path in MODULES if name_of(path) != "facerec/config.py"], ids=ids)
def test_the_environment_is_read_in_config_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    read = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os"
    ]
    assert read == []


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_nothing_decodes_objects_from_messages(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "pickle.load" not in text
    assert "jsonpickle.decode" not in text
