"""What a worker tells Prometheus."""

from __future__ import annotations

from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from tests.client import wait_until
from tests.drawings import drawing, showing
from tests.stack import Stack


def numbers(port: int) -> dict[str, float]:
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    return {
        sample.name + "".join(f"/{value}" for key, value in sample.labels.items() if key != "le"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_outcomes_stages_and_gauges(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    port = free_port()
    with Stack(redis_settings, rabbit_settings, tmp_path, ENGINE="fake", METRICS_PORT=str(port)) as stack:
        hashes = [
            stack.scan(showing("ann"), "a.png"),
            stack.scan(showing("ann"), "b.png"),
            stack.scan(drawing(b"BROKEN"), "c.png"),
        ]
        stack.wait_ended(hashes)
        wait_until(lambda: numbers(port).get("facerec_jobs_total/failed") == 1, "the outcomes are counted")
        found = numbers(port)
    assert found["facerec_jobs_total/done"] == 2
    assert found["facerec_index_faces"] == 2
    assert found["facerec_index_position"] == 2
    assert found["facerec_dead_letters"] == 1
    assert found["facerec_queue_length"] == 0
    assert found["facerec_engine_memory_bytes"] > 10_000_000
    for stage in ("queue", "begin", "engine", "commit"):
        assert found[f"facerec_stage_seconds_count/{stage}"] >= 2
