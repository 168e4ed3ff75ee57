"""Known vulnerabilities of what is locked, and how they are judged."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from requirements.audit import EXCEPTIONS, FOLDER, AuditBroken, Pass, ServiceAway, audit, faults, read_passes, report_of

TODAY = date(2026, 11, 28)
GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {
    "name": "bad",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"], "fix_versions": ["2.1", "3"], "description": "..."}],
}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}
LOOKED_AT = Pass("bad", "CVE-1", TODAY)


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


def test_no_known_vulnerability_is_in_a_lock() -> None:
    try:
        found = audit(sorted(FOLDER.glob("*.lock")))
    except ServiceAway as error:
        pytest.skip(
            f"dependency audit skipped, nothing was looked up: the service of known vulnerabilities is away: {error}"
        )
    assert found == []


@pytest.mark.parametrize(
    ("packages", "passes", "wanted"),
    [
        ([GOOD], [], []),
        ([GOOD, BAD], [], ["bad 2: CVE-1, GHSA-1, PYSEC-1; fixed in 2.1, 3"]),
        ([GOOD, BAD], [LOOKED_AT], []),
        ([BAD], [Pass("bad", "CVE-1", date(2026, 11, 27))], ["bad 2: CVE-1, GHSA-1, PYSEC-1; fixed in 2.1, 3"]),
        ([BAD | {"name": "other"}], [LOOKED_AT], ["other 2: ", "bad: the exception CVE-1 is not needed any more"]),
        ([GOOD], [LOOKED_AT], ["bad: the exception CVE-1 is not needed any more"]),
        ([GOOD, UNKNOWN], [], ["unknown: could not be looked up: not found"]),
    ],
)
def test_what_must_be_mended(packages: list[dict[str, Any]], passes: list[Pass], wanted: list[str]) -> None:
    found = list(faults(report(*packages), passes, TODAY))
    assert len(found) == len(wanted)
    assert all(line.startswith(beginning) for line, beginning in zip(found, wanted, strict=True))


def test_an_index_that_knows_no_package_was_not_asked() -> None:
    with pytest.raises(ServiceAway):
        report_of(json.dumps(report(UNKNOWN, UNKNOWN)), "")
    assert report_of(json.dumps(report(UNKNOWN, GOOD)), "")


def test_no_network_is_told_from_a_fault_of_ours() -> None:
    with pytest.raises(ServiceAway):
        report_of("", "Traceback ...\nrequests.exceptions.ProxyError: Unable to connect")
    with pytest.raises(AuditBroken, match="invalid requirements"):
        report_of("", "ERROR:pip_audit._cli:invalid requirements input: a.lock")


def test_exceptions_have_a_reason_and_a_date() -> None:
    entry = '[[exception]]\npackage = "bad"\nid = "CVE-1"\nreason = "not called"\nuntil = 2026-11-28\n'
    assert read_passes(entry) == [LOOKED_AT]
    for wrong in (
        entry.replace("not called", " "),
        entry.replace("2026-11-28", '"soon"'),
        entry.replace("until", "to"),
    ):
        with pytest.raises(ValueError, match="exception"):
            read_passes(wrong)
    read_passes(EXCEPTIONS.read_text(encoding="utf-8"))
