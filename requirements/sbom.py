"""The list of what is in an image, as CycloneDX JSON on standard output, made at build from what is installed and from its lock.

    python sbom.py IMAGE VERSION LOCK FOLDER [FOLDER ...]

IMAGE and VERSION name the image, LOCK is the lock that it was installed from, each FOLDER one that packages are installed in.
Two builds of one lock give the same bytes: no time and nothing random is in it. A package that is installed and not in the lock
is an error. Needs nothing but Python.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked_hashes(lock: str) -> dict[tuple[str, str], list[str]]:
    """Name and version -> SHA-256 of the files that may be installed."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE):
        if head := re.match(r"([a-z0-9-]+)==([^ ;\\]+)", entry):
            found[head[1], head[2]] = re.findall(r"sha256:([0-9a-f]{64})", entry)
    return found


def component(package: Distribution, hashes: list[str]) -> dict[str, Any]:
    name, version = canonical(package.metadata["Name"]), package.version
    purl = f"pkg:pypi/{name}@{version}"
    about: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
    license_name = package.metadata.get("License-Expression") or package.metadata.get("License") or ""
    if license_name and len(license_name) <= 100:
        about["licenses"] = [{"license": {"name": license_name}}]
    # Which of a lock's files a platform took is not noted by pip: all that it could be.
    about["properties"] = [{"name": "facerec:sha256", "value": one} for one in sorted(hashes)]
    return about


def document(image: str, version: str, lock: str, folders: list[str]) -> dict[str, Any]:
    """Raises KeyError for a package that is not in the lock."""
    hashes = locked_hashes(lock)
    installed = {(canonical(found.metadata["Name"]), found.version): found for found in distributions(path=folders)}
    strangers = installed.keys() - hashes.keys()
    if strangers:
        raise KeyError(f"installed and not in the lock: {sorted(strangers)}")
    components = [component(installed[key], hashes[key]) for key in sorted(installed)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([image, version, components]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image, "version": version, "bom-ref": image}},
        "components": components,
        "dependencies": [{"ref": image, "dependsOn": [each["bom-ref"] for each in components]}],
    }


if __name__ == "__main__":
    image, version, lock, *folders = sys.argv[1:]
    text = Path(lock).read_text(encoding="utf-8")
    json.dump(document(image, version, text, folders), sys.stdout, indent=1, sort_keys=True)
