"""What docs/operations.md and k8s/README.md tell an operator to type and to look at is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facerec.cli.app import build_app
from tests.manifests.rendering import K8S, Manifest, kustomizations, read
from tests.unit.test_dashboard import measured

ROOT = K8S.parent
DOCUMENTS = [ROOT / "docs" / "operations.md", K8S / "README.md"]
ALIASES = {"deploy": "Deployment", "deployment": "Deployment", "service": "Service", "StatefulSet": "StatefulSet"}


def code(document: Path) -> list[str]:
    """Every line of a block of code, and every piece of code in a line of text."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.name)
def spans(request: pytest.FixtureRequest) -> list[str]:
    return code(request.param)


@cache
def production() -> list[Manifest]:
    return read(K8S / "overlays" / "production")


def test_commands_of_facerec_are_commands_with_these_options(spans: list[str]) -> None:
    for span in spans:
        for said in re.findall(r"(?:^|-m )facerec ([a-z][a-z -]*)", span):
            words = [word for word in said.split() if not word.startswith("-")]
            told = CliRunner().invoke(build_app(), [*words, "--help"], env={"COLUMNS": "200"})
            assert told.exit_code == 0, span
            assert all(option in told.output for option in said.split() if option.startswith("-")), span


def test_what_is_named_in_the_cluster_is_in_it(spans: list[str]) -> None:
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in production()}
    for span in spans:
        for kind, name in re.findall(r"\b(deploy|deployment|service)/([a-z-]+)", span):
            assert (ALIASES[kind], name) in there, span


def test_folders_to_apply_can_be_applied(spans: list[str]) -> None:
    known = {str(folder.relative_to(ROOT)) for folder in kustomizations()}
    for span in spans:
        assert set(re.findall(r"kubectl apply -k (\S+)", span)) <= known


def test_secrets_are_made_by_the_script(spans: list[str]) -> None:
    script = (K8S / "make-secrets.sh").read_text(encoding="utf-8")
    images = {"facerec-rest", "facerec-worker", "facerec-worker-gpu"}
    for span in spans:
        if re.fullmatch(r"facerec-[a-z-]+", span) and span not in images:
            assert span in script


def test_variables_are_settings(spans: list[str]) -> None:
    read_by_us = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "facerec").rglob("config*.py"))
    used = "".join(path.read_text(encoding="utf-8") for path in K8S.rglob("*.yaml"))
    for span in spans:
        for name in re.findall(r"\b(?:REDIS|RABBITMQ|IMAGE|QUEUE|DEVICE|GRACE|WORKERS)(?:_[A-Z]+)*\b", span):
            assert f'"{name}"' in read_by_us or f"name: {name}" in used, name


def test_numbers_to_look_at_are_measured(spans: list[str]) -> None:
    for span in spans:
        assert set(re.findall(r"\bfacerec_\w+", span)) <= measured()


def test_outcomes_are_those_of_jobs() -> None:
    text = DOCUMENTS[0].read_text(encoding="utf-8")
    (listed,) = re.findall(r"Outcomes: (.*?)\.\n", text, re.DOTALL)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "worker").glob("*.py"))
    for outcome in re.findall(r"`(\w+)`", listed):
        assert f'"{outcome}"' in sources, outcome
