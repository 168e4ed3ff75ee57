"""Every manifest fits the schemas of Kubernetes and our policy: restricted pods, probes, limits, secrets by reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions, major_minor

from facerec.config import load_settings
from rest.server import GRACE
from tests.conftest import setting_names
from tests.manifests.rendering import (
    K8S,
    NOT_OF_KUBERNETES,
    Manifest,
    combinations_of_all,
    containers,
    has_kubectl,
    kustomization_files,
    kustomizations,
    pods,
    read,
    render,
    render_with,
    variables,
)

SECONDS_OF_A_JOB = 120
OURS = {"facerec-rest", "facerec-worker"}
"""The files name our images without a tag, which the base adds."""
OF_LIBRARIES = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}


def _newest_versions() -> list[str]:
    newest = sorted(
        {major_minor(version) for version in all_versions()}, key=lambda text: tuple(map(int, text.split(".")))
    )
    return newest[-3:]


def _folder_name(folder: Path) -> str:
    return folder.relative_to(K8S).as_posix()


Source = tuple[str, Path | str, tuple[str, ...]]
SOURCES: list[Source] = [
    *[(how, folder, ()) for how in ("read", "rendered") for folder in kustomizations()],
    *[("combined", folder, components) for folder, components in combinations_of_all()],
]


def _source_name(source: Source) -> str:
    how, folder, components = source
    name = folder if isinstance(folder, str) else _folder_name(folder)
    return "+".join([f"{how}-{name}", *components])


Rule = Callable[[list[Manifest]], None]
RULES: list[Rule] = []


def rule(kept: Rule) -> Rule:
    """Something that holds for the manifests of every source."""
    RULES.append(kept)
    return kept


def manifests_of(source: Source) -> list[Manifest]:
    how, folder, components = source
    if how == "read":
        return read(Path(folder))
    if not has_kubectl():
        pytest.skip("kubectl, which renders the manifests, is not installed; the files themselves are checked")
    return render(Path(folder)) if how == "rendered" else render_with(str(folder), components)


def test_there_is_a_base_and_its_stores() -> None:
    assert {"base", "stores"} <= {_folder_name(folder) for folder in kustomizations()}
    assert {name for name, _ in pods(read(K8S / "base"))} == {
        "StatefulSet/redis",
        "StatefulSet/rabbitmq",
        "Deployment/rest",
        "Deployment/worker",
        "Deployment/logs",
    }


@rule
def manifests_fit_the_schemas(manifests: list[Manifest]) -> None:
    for version in _newest_versions():
        for manifest in manifests:
            if manifest["apiVersion"] not in NOT_OF_KUBERNETES:
                _validate(json.dumps(manifest), version)


@cache
def _validate(manifest: str, version: str) -> None:
    """Most manifests are the same in most combinations."""
    kubernetes_validate.validate(json.loads(manifest), version, strict=True)


@rule
def nothing_is_listed_twice(manifests: list[Manifest]) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


@rule
def pods_keep_to_the_restricted_profile(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        shared = pod["securityContext"]
        assert shared["runAsNonRoot"] is True, name
        assert shared["runAsUser"] > 0, name
        assert shared["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert "privileged" not in own, name


@rule
def volumes_are_of_the_harmless_kinds(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        for volume in pod.get("volumes", []):
            kinds = volume.keys() - {"name"}
            assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}, name
            if "emptyDir" in kinds:
                assert "sizeLimit" in volume["emptyDir"], name


@rule
def every_pod_has_an_account_of_its_own_without_rights(manifests: list[Manifest]) -> None:
    accounts = {found["metadata"]["name"]: found for found in manifests if found["kind"] == "ServiceAccount"}
    for name, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert accounts[pod["serviceAccountName"]]["automountServiceAccountToken"] is False, name
    assert len({pod["serviceAccountName"] for _, pod in pods(manifests)}) == len(pods(manifests))


@rule
def no_pod_is_told_of_services_by_variables(manifests: list[Manifest]) -> None:
    """A service named rest makes Kubernetes set REST_PORT=tcp://... in every pod beside it, which is a setting of ours."""
    for name, pod in pods(manifests):
        assert pod["enableServiceLinks"] is False, name


@rule
def every_container_has_probes_and_limits(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        for container in pod["containers"]:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name
            for kind in ("requests", "limits"):
                assert {"cpu", "memory"} <= container["resources"][kind].keys(), name


@rule
def images_have_an_exact_tag(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        for container in containers(pod):
            image = container["image"]
            assert image in OURS or "@sha256:" in image or image.rpartition(":")[2].count(".") == 2, f"{name}: {image}"


@rule
def secrets_are_only_referred_to(manifests: list[Manifest]) -> None:
    assert "Secret" not in {manifest["kind"] for manifest in manifests}
    for name, pod in pods(manifests):
        for container in containers(pod):
            for variable in container.get("env", []):
                hidden = any(word in variable["name"] for word in ("PASS", "TOKEN", "SECRET", "KEY"))
                literal = "value" in variable and not variable["name"].endswith("_FILE")
                assert not (hidden and literal) or variable["name"] == "TOKENS_FILE", f"{name}: {variable['name']}"


@rule
def secrets_come_from_the_script_that_makes_them(manifests: list[Manifest]) -> None:
    script = (K8S / "make-secrets.sh").read_text(encoding="utf-8")
    for name, pod in pods(manifests):
        for secret, key in _secret_keys(pod):
            assert f"generic {secret} " in script, f"{name}: {secret}"
            assert key is None or f"=./{key}" in script, f"{name}: {secret} {key}"


@rule
def a_worker_has_time_to_finish_the_longest_job(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        if name == "Deployment/worker":
            settings = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
            limit, grace = float(settings["JOB_TIME_LIMIT"]), float(settings["GRACE"])
            assert limit >= SECONDS_OF_A_JOB
            assert limit < grace < pod["terminationGracePeriodSeconds"]


@rule
def mounts_and_services_lead_somewhere(manifests: list[Manifest]) -> None:
    ports = {}
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            template = manifest["spec"]["template"]
            assert manifest["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
            claims = {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
            volumes = claims | {volume["name"] for volume in template["spec"].get("volumes", [])}
            for container in containers(template["spec"]):
                assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
            label = template["metadata"]["labels"]["app.kubernetes.io/name"]
            ports[label] = {port["name"] for found in template["spec"]["containers"] for port in found.get("ports", [])}
    for manifest in manifests:
        if manifest["kind"] == "Service":
            assert manifest["spec"]["selector"].keys() == {"app.kubernetes.io/name"}
            selector = manifest["spec"]["selector"]["app.kubernetes.io/name"]
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= ports[selector]


@rule
def every_setting_that_our_programs_are_given_is_known_and_good(manifests: list[Manifest]) -> None:
    known = setting_names() | {f"{name}_FILE" for name in setting_names()} | OF_LIBRARIES
    for name, pod in pods(manifests):
        for container in containers(pod):
            if container["image"].startswith("facerec-"):
                given = variables(container)
                assert given.keys() <= known, name
                load_settings({key: value for key, value in given.items() if value and not key.endswith("_FILE")})


@rule
def rest_has_time_to_answer_what_it_has_begun(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        if name == "Deployment/rest":
            settings = load_settings({}).rest
            longest = max(settings.interactive_timeout, settings.fetch_total_timeout) + GRACE
            pause = float(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
            assert pause + longest < pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("kept", RULES, ids=lambda kept: kept.__name__)
def test_every_source_keeps(kept: Rule) -> None:
    check_each(SOURCES, kept)


def test_our_images_are_sent_with_a_tag() -> None:
    def tagged(manifests: list[Manifest]) -> None:
        assert not {container["image"] for _, pod in pods(manifests) for container in containers(pod)} & OURS

    check_each([source for source in SOURCES if source[0] != "read"], tagged)


def check_each(sources: list[Source], kept: Rule) -> None:
    """A failure names the source."""
    for source in sources:
        try:
            kept(manifests_of(source))
        except AssertionError as error:
            error.add_note(f"in {_source_name(source)}")
            raise


def test_every_yaml_file_is_used() -> None:
    used = {path for file in kustomization_files() for path in _files(file.parent)}
    assert {path for path in K8S.rglob("*.yaml") if path.name != "kustomization.yaml"} <= used


def _files(folder: Path) -> set[Path]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    named = kustomization.get("resources", []) + [patch.get("path", "") for patch in kustomization.get("patches", [])]
    return {(folder / name).resolve() for name in named if (folder / name).is_file()}


def _secret_keys(pod: Manifest) -> list[tuple[str, str | None]]:
    keys: list[tuple[str, str | None]] = []
    for volume in pod.get("volumes", []):
        if "secret" in volume:
            items = volume["secret"].get("items") or [{"key": None}]
            keys += [(volume["secret"]["secretName"], item["key"]) for item in items]
    for container in containers(pod):
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                keys.append((reference["name"], reference["key"]))
    return keys
