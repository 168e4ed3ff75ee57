"""Builds and runs the images without a container engine: buildah with chroot isolation, on a Debian made by debootstrap."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_IMAGE = "localhost/python:3.11.13-slim-bookworm"
MEMORY = Path("/dev/shm")
ROOMY = 12 << 30
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def why_not() -> str:
    """Why images cannot be built here; empty when they can."""
    missing = [tool for tool in ("buildah", "debootstrap", "apt-get") if shutil.which(tool) is None]
    if missing:
        return f"images are built with {', '.join(missing)}, which is not installed"
    if os.geteuid() != 0:
        return "images can be built by root alone"
    trial = 'mount -t tmpfs trial "$0" && mknod "$0/null" c 1 3'
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", trial, folder], capture_output=True, text=True, check=False
        )
    return f"images cannot be built in this container: {done.stderr.strip()}" if done.returncode else ""


@contextmanager
def room(otherwise: Path) -> Iterator[Path]:
    """A folder for a store: in memory where there is plenty, which takes half the time, else ``otherwise``."""
    if _free_memory() < ROOMY:
        yield otherwise
        return
    with TemporaryDirectory(prefix="facerec-images-", dir=MEMORY) as folder:
        yield Path(folder)


def _free_memory() -> int:
    """Bytes that files in memory may take; 0 where no program may run there."""
    if not MEMORY.is_dir() or os.statvfs(MEMORY).f_flag & (os.ST_NOEXEC | os.ST_NODEV):
        return 0
    available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    return min(shutil.disk_usage(MEMORY).free, int(available[1]) * 1024 if available else 0)


class Builder:
    """One store of images in ``folder``; nothing of the machine's own store is used or touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built: set[str] = set()
        self._store = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def __call__(self, *arguments: str) -> str:
        """Run buildah and return what it prints; the test fails with its messages when it fails."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        return ["buildah", *self._store, *arguments]

    def make_python_image(self, base: Path) -> None:
        """Tag a Debian with Python, from the archive ``base``, like the image that the Dockerfiles begin with."""
        container = self("from", "scratch")
        self("add", "-q", container, str(base), "/")
        self("commit", "-q", container, PYTHON_IMAGE)
        self("rm", container)

    def build(self, name: str, tag: str = "test") -> str:
        """Build ``<name>/Dockerfile``, with all times in it 0, and return the image's name."""
        image = f"localhost/facerec-{name}:{tag}"
        options = ["--isolation", "chroot", "--pull-never", "--format", "docker", "--layers=false", "--timestamp", "0"]
        self("bud", *options, *self._package_access(), "-f", f"{name}/Dockerfile", "-t", image, str(ROOT))
        self.built.add(name)
        return image

    def layers(self, image: str) -> list[str]:
        """The digests of its layers: what is in the files, whose they are, and their times."""
        inspected = json.loads(self("inspect", "--type", "image", image))
        digests: list[str] = inspected["Docker"]["rootfs"]["diff_ids"]
        return digests

    def container(self, image: str) -> str:
        return self("from", "--pull-never", image)

    def run(self, container: str, *command: str, variables: dict[str, str] | None = None) -> list[str]:
        """The command line that runs ``command`` in ``container`` as its own user, on the network of this machine."""
        settings = [part for name, value in (variables or {}).items() for part in ("--env", f"{name}={value}")]
        return self.command("run", "--isolation", "chroot", *settings, container, "--", *command)

    def _package_access(self) -> list[str]:
        """How pip reaches its index here: the same settings and certificates inside."""
        settings = self.folder / "pip.conf"
        settings.write_text(pip_settings(), encoding="utf-8")
        volumes = ["-v", f"{settings}:/etc/pip.conf:ro"]
        if CERTIFICATES.exists():
            volumes += ["-v", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        return volumes


def pip_settings() -> str:
    """This machine's pip settings that make sense inside an image, as a file."""
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    lines = ["[global]"]
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in {"index-url", "trusted-host", "proxy", "timeout", "default-timeout"}:
            lines.append(f"{name.removeprefix('default-')} = {value.strip(chr(39))}")
    if CERTIFICATES.exists():
        lines.append(f"cert = {CERTIFICATES}")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def debian_archive(cache: Path, work: Path) -> Path:
    """A minimal Debian 12 with Python and, as in slim images, nothing to read: made once in ``work``, and kept in ``cache``."""
    archive = cache / "bookworm-python-slim.tar"
    if archive.exists():
        return archive
    cache.mkdir(parents=True, exist_ok=True)
    root = work / "debian"
    include = "--include=python3,python3-venv,ca-certificates"
    _check(["debootstrap", "--variant=minbase", include, "bookworm", str(root), _mirror()])
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    for leftover in [*(root / "var/cache/apt/archives").glob("*.deb"), *(root / "var/lib/apt/lists").glob("*_*")]:
        leftover.unlink()
    for unread in ("doc", "info", "lintian", "locale", "man"):
        shutil.rmtree(root / "usr/share" / unread, ignore_errors=True)
    _check(["tar", "-C", str(root), "-cf", f"{archive}.part", "."])
    Path(f"{archive}.part").rename(archive)
    shutil.rmtree(root)
    return archive


def _mirror() -> str:
    """Where this machine gets its Debian packages, if it is Debian 12."""
    wanted = ["Codename: bookworm", "Component: main", "Created-By: Packages"]
    found = _check(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted]).split()
    if not found:
        pytest.skip("images are built on Debian 12 packages, and this machine knows no archive of them")
    return found[0]


def _check(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
