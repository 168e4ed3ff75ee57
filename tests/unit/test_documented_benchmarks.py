"""What README and docs tell to run of benchmarks/ is there, with the options that they name."""

from __future__ import annotations

import re

import pytest

from tests.stack import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CALLS = sorted(
    {
        (name, tuple(re.findall(r"--[a-z-]+", rest)))
        for page in PAGES
        for name, rest in re.findall(
            r"(?:-m benchmarks\.|--benchmark )(\w+)((?: +[-\w.]+)*)", page.read_text(encoding="utf-8")
        )
    }
)


@pytest.mark.parametrize(("name", "options"), CALLS)
def test_what_is_told_can_be_called(name: str, options: tuple[str, ...]) -> None:
    module = ROOT / "benchmarks" / f"{name}.py"
    source = (module if module.exists() else ROOT / "benchmarks" / name / "__main__.py").read_text(encoding="utf-8")
    assert "ArgumentParser(" in source, "--help tells, and does nothing else"
    assert [option for option in options if f'"{option}"' not in source] == []


def test_all_are_looked_at() -> None:
    assert {("engine", ()), ("pipeline", ("--only",)), ("ledger", ("--minutes", "--seed", "--without"))} <= set(CALLS)
