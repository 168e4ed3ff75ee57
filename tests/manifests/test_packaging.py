"""Compose file, Dockerfiles, locks: pinned, private, and in step with each other."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements.platforms import record
from requirements.sbom import document

ROOT = Path(__file__).parents[2]
DOCKERFILES = [ROOT / "rest/Dockerfile", ROOT / "worker/Dockerfile"]
LOCKS = {
    "rest": ["rest", "s3"],
    "worker": ["worker", "s3", "cli"],
    "worker-gpu": ["worker", "gpu", "s3", "cli"],
    "local": ["rest", "worker", "s3", "cli"],
    "dev": ["rest", "worker", "s3", "cli", "bench", "dev"],
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return found


def _locked(name: str) -> dict[str, list[str]]:
    """Package -> its versions (by marker)."""
    versions: dict[str, list[str]] = {}
    for line in (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([a-z0-9-]+)==([^ ;]+)", line):
            versions.setdefault(found[1], []).append(found[2])
    return versions


def _wanted(extras: list[str]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    locked = _locked(name)
    for wanted in _wanted(LOCKS[name]):
        versions = locked.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted} is not in requirements/{name}.lock: run requirements/lock.sh"
        assert all(version in wanted.specifier for version in versions), f"{wanted}: {versions}"


@pytest.mark.parametrize("name", [*LOCKS, "build"])
def test_every_package_of_a_lock_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_the_images_run_what_the_tests_ran() -> None:
    tested = _locked("dev")
    for name in LOCKS.keys() - {"dev", "worker-gpu"}:
        assert _locked(name).items() <= tested.items(), name


def test_the_image_for_gpus_runs_the_same_but_for_nvidia_s_libraries() -> None:
    locked, tested = _locked("worker-gpu"), _locked("dev")
    assert locked.pop("onnxruntime-gpu") == locked["onnxruntime"] == tested["onnxruntime"]
    others = {name: versions for name, versions in locked.items() if not name.startswith("nvidia-")}
    assert others.items() <= tested.items()
    assert {
        "nvidia-cudnn-cu13",
        "nvidia-cuda-runtime",
        "nvidia-cublas",
        "nvidia-cufft",
        "nvidia-curand",
    } <= locked.keys()


def test_one_build_of_onnx_runtime_is_in_an_image() -> None:
    """Both are the same module: what is installed last would hide the other."""
    lines = (ROOT / "requirements/worker-gpu.lock").read_text(encoding="utf-8").splitlines()
    assert all("sys_platform == 'never'" in line for line in lines if line.startswith("onnxruntime=="))
    assert "onnxruntime-gpu" not in _locked("worker")


IMAGES = "x86_64-manylinux_2_36 aarch64-manylinux_2_36"
PYTHONS = "3.11 3.12 3.13 3.14"


def test_every_lock_has_wheels_for_the_machines_it_is_for() -> None:
    """Which wheels there are is known to the index alone; lock.sh asked it, and wrote down for which locks."""
    recorded = json.loads((ROOT / "requirements/platforms.json").read_text(encoding="utf-8"))
    expected = record(IMAGES, f"{IMAGES} aarch64-apple-darwin", PYTHONS)
    assert recorded == expected, "a lock was changed by hand: run requirements/lock.sh"


def test_only_a_python_and_a_mac_that_wheels_were_found_for_are_used() -> None:
    script = (ROOT / "facerec/local/environment.sh").read_text(encoding="utf-8")
    versions = PYTHONS.split()
    first, last = (tuple(map(int, version.split("."))) for version in (versions[0], versions[-1]))
    assert f"{first} <= sys.version_info < {(last[0], last[1] + 1)}" in script
    assert f"python3 {' '.join(f'python{version}' for version in versions)}; do" in script
    oldest = re.search(r"MACOSX_DEPLOYMENT_TARGET=(\d+)", (ROOT / "requirements/lock.sh").read_text(encoding="utf-8"))
    assert oldest
    assert f"-ge {oldest[1]} ]" in script


def test_the_source_build_of_dlib_is_never_installed() -> None:
    for name in LOCKS:
        text = (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")
        assert all("sys_platform == 'never'" in line for line in text.splitlines() if line.startswith("dlib=="))


def test_the_front_door_asks_for_no_face_library() -> None:
    assert not {"dlib", "dlib-bin", "onnx", "onnxruntime", "face-recognition"} & _locked("rest").keys()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_a_dockerfile_is_pinned_and_runs_as_a_number(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base) for base in bases)
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", text, re.MULTILINE)
    assert re.search(r'^CMD \["python", "-m", "\w+"\]$', text, re.MULTILINE)
    assert "HEALTHCHECK" in text
    assert "--require-hashes" in text
    assert not re.search(r"\b(gcc|build-essential|cmake|ADD|curl)\b", text)


def test_images_are_built_for_both_kinds_of_machines() -> None:
    text = (ROOT / "docker-bake.hcl").read_text(encoding="utf-8")
    assert 'platforms = ["linux/amd64", "linux/arm64"]' in text
    assert {path.relative_to(ROOT).as_posix() for path in DOCKERFILES} == set(re.findall(r'dockerfile = "(.+)"', text))


def test_the_image_for_gpus_is_built_and_run_under_one_name() -> None:
    bake = (ROOT / "docker-bake.hcl").read_text(encoding="utf-8")
    target = re.search(r'^target "worker-gpu" \{\n(.*?)^\}', bake, re.MULTILINE | re.DOTALL)
    assert target
    assert 'LOCK = "worker-gpu"' in target[1]
    dockerfile = (ROOT / "worker/Dockerfile").read_text(encoding="utf-8")
    assert "ARG LOCK=worker\n" in dockerfile
    assert len(re.findall(r"^ARG LOCK$", dockerfile, re.MULTILINE)) == len(
        re.findall(r"^FROM ", dockerfile, re.MULTILINE)
    )
    component = yaml.safe_load((ROOT / "k8s/components/gpu/kustomization.yaml").read_text(encoding="utf-8"))
    (image,) = component["images"]
    assert f"/{image['name']}:${{TAG}}" in target[1]
    assert f'TAG" {{ default = "{image["newTag"]}" }}' in bake


def test_the_list_of_what_is_in_an_image_is_the_same_at_every_build(tmp_path: Path) -> None:
    for name, version in (("b_B", "2"), ("a", "1")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n")
    digest = "0" * 64
    lock = f"a==1 \\\n    --hash=sha256:{digest}\nb-b==2 \\\n    --hash=sha256:{digest}\n"
    made = document("facerec-rest", "0.1.0", lock, [str(tmp_path)])
    assert made == document("facerec-rest", "0.1.0", lock, [str(tmp_path)])
    assert [part["purl"] for part in made["components"]] == ["pkg:pypi/a@1", "pkg:pypi/b-b@2"]
    assert made["components"][0]["properties"] == [{"name": "facerec:sha256", "value": digest}]
    with pytest.raises(KeyError, match="not in the lock"):
        document("facerec-rest", "0.1.0", "", [str(tmp_path)])


def test_compose_has_every_part(services: dict[str, Any]) -> None:
    assert services.keys() == {"redis", "rabbitmq", "rest", "worker", "logs", "facerec"}
    assert [name for name, service in services.items() if "profiles" in service] == ["facerec"], "what `up` leaves out"


def test_compose_services_are_locked_down(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["restart"] == ("no" if "profiles" in service else "unless-stopped"), name
        assert service["image"].rpartition(":")[2].count(".") == 2, name


def test_compose_publishes_rest_alone_and_on_this_machine(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "ports" in service} == {"rest"}
    assert all(port.startswith("${REST_PUBLISH:-127.0.0.1}:") for port in services["rest"]["ports"])


def test_rest_in_a_container_is_told_its_address(services: dict[str, Any]) -> None:
    """It listens everywhere, so that it cannot know by which name it is called."""
    environment = services["rest"]["environment"]
    assert environment["REST_HOST"] == "0.0.0.0"
    assert environment["PUBLIC_URL"] == "${PUBLIC_URL:-http://127.0.0.1:${REST_PORT:-5000}}"


def test_compose_knows_no_password(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if "PASS" in variable or "AUTH" in variable:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"
    assert services["rest"]["environment"]["TOKENS_FILE"] == "/run/secrets/tokens"


def test_compose_stores_are_durable_and_watched(services: dict[str, Any]) -> None:
    for name in ("redis", "rabbitmq"):
        assert services[name]["volumes"]
        assert services[name]["healthcheck"]
    assert "appendfsync always" in str(services["redis"]["command"])


def test_a_compose_worker_has_time_to_finish(services: dict[str, Any]) -> None:
    worker = services["worker"]
    assert 120 < float(worker["environment"]["GRACE"]) < float(worker["stop_grace_period"].rstrip("s"))


def test_compose_and_kubernetes_run_the_same_versions(services: dict[str, Any]) -> None:
    stores = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "k8s/stores").glob("*.yaml"))
    for name in ("redis", "rabbitmq"):
        assert f"image: {services[name]['image']}\n" in stores


def test_what_is_not_needed_does_not_reach_a_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignored
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert allowed == {"facerec", "rest", "worker", "requirements/*.lock", "requirements/sbom.py"}
