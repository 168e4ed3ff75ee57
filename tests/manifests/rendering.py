"""The manifests as the cluster gets them: by kubectl where there is one, and by a plain reading of the files always."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "k8s"
Manifest = dict[str, Any]
COMPONENTS = ("autoscale/keda", "autoscale/hpa", "network-policies", "monitoring", "images-s3", "gpu", "tls")
"""In the order in which they are listed: `tls` changes what others bring."""
OVERLAYS = ("local", "gke", "production")
NOT_OF_KUBERNETES = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1", "cloud.google.com/v1"}
"""Checked by tests/manifests/test_extensions.py."""
Wanted = tuple[str, tuple[str, ...]]
"""A folder below k8s, and components on top of it."""


def kustomizations() -> list[Path]:
    """Every folder that can be applied by itself; a component only works inside another."""
    return [file.parent for file in kustomization_files() if _read_one(file)["kind"] == "Kustomization"]


def kustomization_files() -> list[Path]:
    return sorted(K8S.rglob("kustomization.yaml"))


def combinations_of_all() -> list[Wanted]:
    """The base and every overlay with each component, the base with each pair, all with all; KEDA and HPA exclude each other."""
    wanted: list[Wanted] = []
    for folder in ("base", *(f"overlays/{name}" for name in OVERLAYS)):
        free = [name for name in COMPONENTS if name not in _components_in(folder)]
        wanted += [(folder, (name,)) for name in free]
        wanted += [(folder, tuple(name for name in free if name != other)) for other in COMPONENTS[:2]]
        if folder == "base":
            wanted += [(folder, pair) for pair in combinations(free, 2) if pair != COMPONENTS[:2]]
    return wanted


def _components_in(folder: str) -> set[str]:
    listed = _read_one(K8S / folder / "kustomization.yaml").get("components", [])
    return {name.removeprefix("../../components/") for name in listed}


@cache
def read(folder: Path) -> list[Manifest]:
    """Every manifest that the kustomization of ``folder`` names, and those of the folders it builds on, before any patch."""
    return list(_read(folder))


def _read(folder: Path) -> Iterator[Manifest]:
    kustomization = _read_one(folder / "kustomization.yaml")
    for name in [*kustomization.get("resources", []), *kustomization.get("components", [])]:
        path = (folder / name).resolve()
        if path.is_dir():
            yield from _read(path)
        else:
            yield from (found for found in yaml.load_all(path.read_text(encoding="utf-8"), _Loader) if found)


@cache
def render(folder: Path) -> list[Manifest]:
    """What ``kubectl apply -k folder`` would send."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.load_all(done.stdout, _Loader) if found]


@cache
def render_with(folder: str, components: tuple[str, ...]) -> list[Manifest]:
    """As in a folder of an operator's own: one of ours and some components."""
    with tempfile.TemporaryDirectory() as own:
        ours = os.path.relpath(K8S, own)
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{ours}/{folder}"],
            "components": [f"{ours}/components/{name}" for name in components],
        }
        (Path(own) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
        return render(Path(own))


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


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The manifest of this kind and name."""
    (found,) = [each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name]
    return found


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] == kind]


def containers(pod: Manifest) -> list[Any]:
    return [*pod["containers"], *pod.get("initContainers", [])]


def variables(container: Manifest) -> dict[str, str | None]:
    """Name -> literal value, or None where it comes from elsewhere."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def _read_one(file: Path) -> Manifest:
    found: Manifest = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    return found


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
