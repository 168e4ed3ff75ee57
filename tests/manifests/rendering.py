"""The manifests as the cluster gets them: by kubectl where there is one, and by a plain reading of the files always."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "k8s"
Manifest = dict[str, Any]


def kustomizations() -> list[Path]:
    """Every folder that can be applied by itself; a component only works inside another."""
    files = sorted(K8S.rglob("kustomization.yaml"))
    return [
        file.parent for file in files if yaml.safe_load(file.read_text(encoding="utf-8"))["kind"] == "Kustomization"
    ]


def read(folder: Path) -> list[Manifest]:
    """Every manifest that the kustomization of ``folder`` names, and those of the folders it builds on, before any patch."""
    return list(_read(folder))


def _read(folder: Path) -> Iterator[Manifest]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    for name in [*kustomization.get("resources", []), *kustomization.get("components", [])]:
        path = (folder / name).resolve()
        if path.is_dir():
            yield from _read(path)
        else:
            yield from (found for found in yaml.safe_load_all(path.read_text(encoding="utf-8")) if found)


def render(folder: Path) -> list[Manifest]:
    """What ``kubectl apply -k folder`` would send."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def has_kubectl() -> bool:
    return shutil.which("kubectl") is not None


def pods(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    """Name and pod specification of everything that makes pods."""
    found = []
    for manifest in manifests:
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        if manifest["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            found.append((name, manifest["spec"]["template"]["spec"]))
        elif manifest["kind"] == "CronJob":
            found.append((name, manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]))
        elif manifest["kind"] == "Pod":
            found.append((name, manifest["spec"]))
    return found
