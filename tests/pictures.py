"""Pictures with faces for the tests and the benchmarks. None of them is part of the project.

- those inside the source archive of face_recognition 1.3.0, fetched once from the package index that pip is configured
  for, checked by SHA-256, kept under ``.cache/``;
- ``lfw100`` and ``portraits`` of the folder named by FACEREC_FACES, or of ``../shared/faces`` (also one folder higher), when
  there is one.

``python -m tests.pictures`` fetches the archive and lists what there is.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

import requests

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "pictures"
ARCHIVE = "face_recognition-1.3.0.tar.gz"
ARCHIVE_SHA256 = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"
SUFFIXES = (".jpg", ".jpeg", ".png")


class NoPictures(RuntimeError):
    """The archive cannot be had; the message says why."""


def archive_pictures() -> dict[str, Path]:
    """The pictures of the archive by file name. Raises NoPictures when it cannot be fetched."""
    folder = CACHE / ARCHIVE.removesuffix(".tar.gz")
    done = folder / "complete"
    if not done.is_file():
        _extract(_archive(), folder)
        done.touch()
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES}


def faces_folder() -> Path | None:
    """The folder with ``lfw100`` and ``portraits``; None when there is none on this machine."""
    beside = [parent / "shared" / "faces" for parent in ROOT.parents[:2]]
    for candidate in (os.environ.get("FACEREC_FACES"), *beside):
        if candidate and (Path(candidate) / "lfw100").is_dir():
            return Path(candidate)
    return None


def portraits() -> dict[str, Path]:
    """The pictures of ``portraits`` by file name; none when there is no such folder."""
    folder = faces_folder()
    paths = sorted((folder / "portraits").iterdir()) if folder else []
    return {path.name: path for path in paths if path.suffix in SUFFIXES}


def lfw100() -> dict[str, list[Path]]:
    """Ten persons, ten pictures each; none when there is no such folder."""
    folder = faces_folder()
    people = sorted((folder / "lfw100").iterdir()) if folder else []
    return {person.name: sorted(person.glob("*.jpg")) for person in people if person.is_dir()}


def _archive() -> bytes:
    kept = CACHE / ARCHIVE
    if kept.is_file() and _is_it(kept.read_bytes()):
        return kept.read_bytes()
    content = _fetched()
    CACHE.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(f".{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(kept)
    return content


def _is_it(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == ARCHIVE_SHA256


def _fetched() -> bytes:
    """The archive from the first of pip's indexes that has it unchanged.

    ``pip download`` is of no use: it builds a source archive's metadata, for which this one is too old.
    """
    tried = []
    for index in _indexes():
        try:
            content = _from_index(index)
        except (requests.RequestException, OSError, NoPictures) as error:
            tried.append(f"{urlsplit(index).hostname or index}: {type(error).__name__}")
            continue
        if _is_it(content):
            return content
        tried.append(f"{urlsplit(index).hostname or index}: wrong checksum")
    raise NoPictures(f"{ARCHIVE} is needed and could not be fetched ({'; '.join(tried)})")


def _pip_settings() -> dict[str, str]:
    """pip's configuration, from its files and its environment variables; the later of two wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    return dict(re.findall(r"^[\w:]+\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE))


def _indexes() -> Iterator[str]:
    settings = _pip_settings()
    yield settings.get("index-url") or _default_index()
    yield from settings.get("extra-index-url", "").replace("\\n", " ").split()


def _default_index() -> str:
    """The index that pip itself asks when nothing is configured."""
    asked = subprocess.run(
        [sys.executable, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


def _from_index(index: str) -> bytes:
    """The archive's bytes, by way of the project's page (PEP 503)."""
    page_url = f"{index.rstrip('/')}/face-recognition/"
    for link in re.findall(r'href\s*=\s*"([^"]+)"', _get(page_url).decode("utf-8", "replace")):
        url = urldefrag(urljoin(page_url, unescape(link))).url
        if url.endswith(f"/{ARCHIVE}"):
            return _get(url)
    raise NoPictures("the index does not have it")


def _get(url: str) -> bytes:
    if url.startswith("file://"):
        path = Path(urlsplit(url).path)
        return (path / "index.html" if path.is_dir() else path).read_bytes()
    answer = requests.get(
        url, timeout=60, verify=_pip_settings().get("cert", True), headers={"Accept": "text/html, */*"}
    )
    answer.raise_for_status()
    return answer.content


def _extract(archive: bytes, folder: Path) -> None:
    """The test pictures alone; the archive's documentation has icons as well."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            wanted = "/tests/test_images/" in member.name and Path(member.name).suffix in SUFFIXES
            if wanted and (content := tar.extractfile(member)):
                (folder / Path(member.name).name).write_bytes(content.read())


if __name__ == "__main__":
    for source in (archive_pictures(), portraits()):
        print(len(source), *source)  # noqa: T201
    print(sum(map(len, lfw100().values())), "pictures in lfw100")  # noqa: T201
