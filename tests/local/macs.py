"""A stand-in for a Mac with Homebrew and nothing else, on Linux: no Mac could be had.

What is like a Mac: the programs on the PATH are few and all exist there too, `brew` lays out what it installs as Homebrew does,
Python says that it runs on macOS and lacks what it lacks there, a process may open 256 files. What is not: the programs are
those of Linux, bash is new, and /proc can be read by whoever looks.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from facerec.local.rabbitmq import rabbit_program
from facerec.local.redis import redis_program
from tests.local.clones import ROOT, Clone

PROGRAMS = (
    *(
        "basename",
        "bash",
        "cat",
        "chmod",
        "cksum",
        "cp",
        "cut",
        "date",
        "df",
        "dirname",
        "env",
        "expr",
        "ln",
        "ls",
        "mkdir",
    ),
    *("mktemp", "mv", "ps", "readlink", "rm", "sed", "sh", "sleep", "tail", "touch", "tr"),
)
_DEBIAN = dict.fromkeys(("/usr/lib/rabbitmq/bin", "/usr/sbin"), "/nowhere")

BREW = """#!/bin/sh
prefix={prefix}
echo "$*" >>{folder}/brew.calls

# pour KEG FOLDER PROGRAM REAL: a program in its keg, linked into the prefix.
pour() {{
    mkdir -p "$prefix/Cellar/$1/1.0/$2" "$prefix/$2"
    printf '#!/bin/sh\\nexec %s "$@"\\n' "$4" >"$prefix/Cellar/$1/1.0/$2/$3"
    chmod +x "$prefix/Cellar/$1/1.0/$2/$3"
    ln -sf "../Cellar/$1/1.0/$2/$3" "$prefix/$2/$3"
}}

case "$1" in
--prefix) echo "$prefix"; exit ;;
install) shift ;;
*) echo "Error: Unknown command: brew $1" >&2; exit 1 ;;
esac
if [ "$(id -u)" = 0 ]; then
    echo "Error: Running Homebrew as root is extremely dangerous and no longer supported." >&2
    exit 1
fi
for name in "$@"; do
    case "$name" in
    --quiet) ;;
    redis) pour redis bin redis-server {redis} ;;
    rabbitmq)
        for program in erl epmd escript; do pour erlang bin $program {erlang}/$program; done
        for program in rabbitmq-server rabbitmqctl; do pour rabbitmq sbin $program {rabbitmq}/$program; done
        ;;
    python@3.11) pour python@3.11 bin python3.11 {folder}/python3.11 ;;
    *) echo "Error: No available formula with the name \\"$name\\"." >&2; exit 1 ;;
    esac
done
"""

PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    ln -s {folder}/python-of-venv "$3/bin/python"
else
    exec {python} "$@"
fi
"""

PYTHON_OF_VENV = """#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then
    echo "$*" >>{folder}/pip.calls
else
    PYTHONPATH={folder}/macos exec {python} "$@"
fi
"""

SITE = """
import os
import socket
import sys
import sysconfig

sysconfig.get_config_vars()  # from a file that is named after the real platform
sys.platform = "darwin"
for module, names in (
    (os, "eventfd fdatasync getrandom memfd_create pidfd_open pipe2 posix_fadvise posix_fallocate sched_getaffinity unshare"),
    (os, "copy_file_range getxattr listxattr setxattr splice"),
    (socket, "TCP_KEEPIDLE TCP_QUICKACK TCP_USER_TIMEOUT"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
"""
PROXIES = """
def _get_proxy_settings():
    return {}

def _get_proxies():
    return {}
"""


LSOF = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from facerec.local.ports import listens
*_, group, port, state = sys.argv
assert sys.argv[1:] == ["-nP", "-a", "-t", "-g", group, port, state] and state == "-sTCP:LISTEN", sys.argv
if listens(int(group), int(port.removeprefix("-iTCP:"))):
    print(group)
"""


class Mac(Clone):
    """``prefix`` is Homebrew's, ``folder`` the copy of the project.

    In the copy Homebrew's usual place is ``prefix``, and Debian's programs, which are here all the same, are looked for in vain.
    """

    def __init__(self, folder: Path, prefix: Path) -> None:
        """Raises ServerMissing where this machine has no programs for Homebrew to install."""
        super().__init__(folder, packages=False)
        self.prefix = prefix
        # As many have it: Homebrew's bin is on the PATH, its sbin is not.
        self.path = f"{self.programs}:{prefix}/bin"
        self.open_files = 256
        self._lay_programs()
        self._lay_homebrew()
        self._rename("facerec/local/environment.sh", {**_DEBIAN, "/opt/homebrew": str(prefix)})
        self._rename("facerec/local/rabbitmq.py", _DEBIAN)
        self._rename("facerec/local/ports.py", {"/usr/sbin/lsof": f"{self.programs}/lsof"})

    def brew_calls(self, word: str) -> list[str]:
        """What brew was told, of the calls that begin with ``word``."""
        file = self.folder / "brew.calls"
        return [call for call in file.read_text().splitlines() if call.startswith(word)] if file.exists() else []

    def pip_calls(self) -> list[str]:
        return (self.folder / "pip.calls").read_text().splitlines()

    def _lay_programs(self) -> None:
        for name in PROGRAMS:
            found = shutil.which(name)
            assert found, name
            (self.programs / name).symlink_to(found)
        self.stand_in("uname", '#!/bin/sh\ncase "$1" in -m) echo arm64 ;; *) echo Darwin ;; esac\n')
        self.stand_in("sw_vers", "#!/bin/sh\necho 14.5\n")
        self.stand_in("id", "#!/bin/sh\necho 501\n")
        self.stand_in("lsof", f"#!{sys.executable} -I\n{LSOF}")
        # The one of Apple's developer tools.
        self.stand_in("python3", "#!/bin/sh\nexit 1\n")

    def _lay_homebrew(self) -> None:
        folder = self.folder
        for name, text in (("python3.11", PYTHON), ("python-of-venv", PYTHON_OF_VENV)):
            (folder / name).write_text(text.format(folder=folder, python=sys.executable))
            (folder / name).chmod(0o755)
        (folder / "macos").mkdir()
        (folder / "macos/sitecustomize.py").write_text(SITE)
        (folder / "macos/_scproxy.py").write_text(PROXIES)
        brew = self.prefix / "bin/brew"
        brew.parent.mkdir(parents=True)
        rabbitmq = Path(rabbit_program()).parent
        erlang = Path(shutil.which("erl") or "/usr/bin/erl").parent
        brew.write_text(
            BREW.format(prefix=self.prefix, folder=folder, redis=redis_program(), rabbitmq=rabbitmq, erlang=erlang)
        )
        brew.chmod(0o755)

    def _rename(self, file: str, names: dict[str, str]) -> None:
        text = (self.folder / file).read_text()
        assert any(known in text for known in names)
        for known, here in names.items():
            text = text.replace(known, here)
        (self.folder / file).write_text(text)
