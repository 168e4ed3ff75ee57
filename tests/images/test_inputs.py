"""The images are built again when what they are made of changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.images.inputs import FILES, PROGRAMS, ROOT, digest, imported


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What is an input, copied."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    for program in PROGRAMS:
        (tmp_path / program).mkdir(exist_ok=True)
        (tmp_path / program / "some.py").write_text("import os\nimport facerec.values\nimport redis\n")
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_changes_is_an_input(project: Path, name: str) -> None:
    before = digest(project)
    with (project / name).open("a") as file:
        file.write("\n# changed\n")
    assert digest(project) != before


def test_a_package_that_our_code_begins_to_import_is_an_input(project: Path) -> None:
    before = digest(project)
    some = project / "worker" / "some.py"
    some.write_text(some.read_text() + "import json\n")
    assert digest(project) == before, "it comes with Python"
    some.write_text(some.read_text() + "def late():\n    from yaml import safe_load\n")
    assert digest(project) != before
    assert imported(project / "worker") == ["facerec", "redis", "yaml"]
