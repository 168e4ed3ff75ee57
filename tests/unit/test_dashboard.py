"""The Grafana dashboard asks for numbers that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from facerec.adapters.imagestore import open_image_store
from facerec.services.write_check import write_checks
from rest.metrics import Metrics
from worker.metrics import WorkerMetrics

DASHBOARD = Path(__file__).parents[2] / "k8s" / "components" / "monitoring" / "dashboard.json"


def names(registry: CollectorRegistry) -> set[str]:
    endings = ("", "_total", "_bucket", "_sum", "_count")
    return {family.name + ending for family in registry.collect() for ending in endings}


class _NoIndex:
    known_faces = 0
    position = 0


def measured() -> set[str]:
    """Every number that a worker or REST tells."""
    worker = WorkerMetrics()
    worker.watch(
        index=_NoIndex(),
        jobs=lambda: 0,
        children=list,
        waiting=lambda: 0,
        oldest=lambda: 0.0,
        dead=lambda: 0,
        writes=write_checks(lambda: None, open_image_store("none")),
    )
    return names(worker.registry) | names(Metrics()._registry)


def test_every_number_on_the_dashboard_is_measured() -> None:
    known = measured()
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"\b(?:facerec|process)_\w+", target["expr"])
    }
    assert asked
    assert asked <= known
