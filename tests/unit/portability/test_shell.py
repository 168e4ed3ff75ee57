"""The scripts a person runs must do on macOS: its bash is 3.2, of 2007, and its programs are BSD's, not GNU's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = [
    ROOT / ".ci/run",
    *ROOT.glob("*.sh"),
    *(path for folder in ("facerec", "k8s", "requirements") for path in ROOT.glob(f"{folder}/**/*.sh")),
]

TOO_NEW = {
    "an associative array or a reference (bash 4)": r"\b(declare|local|typeset|readonly)\s+-\w*[Ang]",
    "mapfile (bash 4)": r"\b(mapfile|readarray|coproc)\b",
    "upper and lower case (bash 4)": r"\$\{[\w@*\[\]]+(,,?|\^\^?)",
    "quoting by expansion (bash 4.4)": r"\$\{[\w@*\[\]]+@\w\}",
    "wait -n (bash 4.3)": r"\bwait\s+-n\b",
    "a pipe or a file for both streams (bash 4)": r"\|&|&>>",
    "a case that falls through (bash 4)": r";&|;;&",
    "an option of bash 4": r"\bshopt\s+-s\s+(globstar|lastpipe|inherit_errexit)",
    "a test for a variable (bash 4.2)": r"\[\[?\s+-v\s",
    "the time by printf (bash 4.2)": r"%\([^)]*\)T",
    "a case inside $(), which bash 3 reads wrongly": r"\$\([^)]*\bcase\b",
    "a negative index or length (bash 4.2)": r"\$\{\w+\[-|\$\{\w+:[^:}]+:\s*-",
}
NOT_BSD = {
    "readlink -f, realpath": r"\breadlink\s+-\w*[fem]|\brealpath\b",
    "sed -i, -r": r"\bsed\s+(-\w+\s+)*-\w*[ir]",
    "stat -c": r"\bstat\s+-c|\bstat\s+--",
    "date -d, %N": r"\bdate\s+(-d|--)|\bdate\s.*%N",
    "programs of Linux": r"(^|[|;&({!]\s*|\b(exec|has)\s+)(timeout|setsid|flock|nproc|tac|getent|free|pidof|taskset)\s",
    "grep -P": r"\bgrep\s+-\w*P",
    "base64 -d, -w": r"\bbase64\s+-[dw]",
    "xargs -r, -d": r"\bxargs\s+(-\w+\s+)*-\w*[rd]\b",
    "head -n -1": r"\b(head|tail)\s+-[nc]\s*-",
    "mktemp with long options or -p": r"\bmktemp\s+(--|-\w*p)",
    "cp, ln, mkdir and others with long options": r"(?<![\w-])(cp|ln|mv|rm|mkdir|sort|cut|tr|cksum)\s+(-\w+\s+)*--\w",
    "/proc": r"/proc\b",
    "sha256sum alone": r"^(?!.*shasum).*\bsha256sum\b",
}


def _complaints(text: str) -> list[str]:
    """What macOS would not understand, line by line."""
    found = []
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in lines:
        found += [f"{what}: {line.strip()}" for what, sign in (TOO_NEW | NOT_BSD).items() if re.search(sign, line)]
    # With `set -u` an empty array has no value before bash 4.4, not even as "${name[@]}"; its length it has.
    for name in re.findall(r"\b(\w+)=\(\s*\)", "\n".join(lines)):
        found += [
            f"an array that may be empty: {line.strip()}"
            for line in lines
            if re.search(rf"\$\{{{name}\[[@*]\]\}}", line)
        ]
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_script_uses_nothing_that_macos_lacks(path: Path) -> None:
    assert _complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        "declare -A ages",
        "local -n other=$1",
        "mapfile -t lines <file",
        'echo "${name,,}"',
        "wait -n",
        "make |& tee log",
        "b) true ;;&",
        "[[ -v name ]]",
        "printf '%(%F)T'",
        'echo "${list[-1]}"',
        'cd "$(dirname "$(readlink -f "$0")")"',
        "sed -i s/a/b/ file",
        "stat -c %s file",
        "date -d yesterday",
        "timeout 5 make",
        "if ! flock 9; then",
        "echo $x | base64 -d",
        "mktemp --directory",
        "cat /proc/cpuinfo",
        "sha256sum file",
        'sudo=()\nrun "${sudo[@]}" make',
    ],
)
def test_the_look_finds_what_it_looks_for(line: str) -> None:
    assert _complaints(line)


def test_the_look_leaves_alone_what_does() -> None:
    fine = (
        'local list=(a b)\nrun "${list[@]}"\nmissing=()\n[ ${#missing[@]} = 0 ]\n'
        "if has sha256sum; then sha256sum; else shasum -a 256; fi"
    )
    assert _complaints(fine) == []
