"""Each alert fires when it should, and no other does, on what a real worker and a real front end measure.

Their numbers are read in several situations. ``promtool`` of Prometheus makes time series of what was read, and evaluates the rules
of k8s/components/monitoring over them.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from facerec.config import RabbitSettings, RedisSettings
from facerec.local.ports import free_port
from facerec.local.server import ServerMissing
from tests.client import wait_until
from tests.conftest import absent
from tests.drawings import drawing
from tests.stack import Stack

ALERTS = Path(__file__).parents[2] / "k8s" / "components" / "monitoring" / "alerts.yaml"
STEP = 15
"""Seconds between two samples."""
UP = {'up{job="rest"}': 1.0, 'up{job="worker"}': 1.0, 'up{job="rabbitmq"}': 1.0}
"""What Prometheus measures itself."""
RABBIT = {"rabbitmq_alarms_memory_used_watermark": 0.0, "rabbitmq_alarms_free_disk_space_watermark": 0.0}
AGE, LENGTH, DEAD = "facerec_queue_age_seconds", "facerec_queue_length", "facerec_dead_letters"
REDIS, PICTURES = "facerec_redis_takes_writes", "facerec_image_store_takes_writes"
DONE, FAILED = (f'facerec_jobs_total{{outcome="{outcome}"}}' for outcome in ("done", "failed"))
ROUTE = 'method="POST", route="/scan/image/<name:name>"'
REQUESTS = f"facerec_rest_requests_total{{{ROUTE}, status="
Numbers = Mapping[str, float]
Case = tuple[str, Mapping[str, str], int, set[str]]
"""What it is about; series in the notation of promtool; a minute; the alerts that fire then."""


def read(*addresses: str) -> dict[str, float]:
    found = {}
    for address in addresses:
        for family in text_string_to_metric_families(requests.get(address, timeout=30).text):
            for sample in family.samples:
                labels = ", ".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[sample.name + (labels and f"{{{labels}}}")] = sample.value
    return found


def test_each_alert_fires_when_it_should_and_no_other_does(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        absent(ServerMissing("promtool is missing (Debian: sudo apt-get install prometheus)"))
    port = free_port()
    own = {"ENGINE": "fake", "PREFETCH": "1", "METRICS_PORT": str(port), "JOB_TIME_LIMIT": "8", "ATTEMPTS": "1"}
    with Stack(redis_settings, rabbit_settings, tmp_path, WORKERS="1", **own) as stack:
        addresses = f"http://127.0.0.1:{port}/metrics", f"{stack.url}/metrics"
        hanging = stack.scan(drawing(b"HANG"), "hanging.png")
        waiting = [stack.scan(drawing(), f"{n}.png") for n in range(3)]
        wait_until(lambda: read(*addresses)[LENGTH] == 3, "the others wait")
        standing = read(*addresses)
        wait_until(lambda: read(*addresses)[AGE] > standing[AGE] + 1, "the oldest waits longer and longer")
        assert (standing[DONE], standing[FAILED]) == (0, 0), "counted although it never happened"
        stack.wait_ended([hanging, *waiting])
        wait_until(lambda: read(*addresses)[DONE] == 3, "the outcomes are counted")
        drained = read(*addresses)
    assert (drained[LENGTH], drained[AGE], drained[FAILED], drained[DEAD]) == (0, 0, 1, 1)
    assert (drained[REDIS], drained[PICTURES]) == (1, 1)
    cases = [*of_the_queue(standing, drained), *of_rates(drained), *of_what_is_away(drained)]
    assert {name for *_, names in cases for name in names} == {rule["alert"] for rule in rules()["groups"][0]["rules"]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules()), encoding="utf-8")
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(promtool_tests(cases)), encoding="utf-8")
    told = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr


def rules() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["spec"]
    return spec


def promtool_tests(cases: list[Case]) -> dict[str, Any]:
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "name": about,
                "interval": f"{STEP}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": firing,
                        "eval_time": f"{minute}m",
                        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
                    }
                ],
            }
            for about, series, minute, names in cases
        ],
    }


def for_minutes(minutes: int, start: float, each_minute: float = 0.0) -> str:
    """Samples that begin at ``start`` and grow by so much in a minute."""
    return f"{start:g}+{each_minute * STEP / 60:g}x{minutes * 60 // STEP - 1}"


def steady(numbers: Numbers, minutes: int = 120, **others: str) -> dict[str, str]:
    """All that was read, as it was, all the time; but ``others``."""
    present = {name: value for name, value in {**numbers, **UP, **RABBIT}.items() if not math.isnan(value)}
    return {name: for_minutes(minutes, value) for name, value in present.items()} | others


def of_the_queue(standing: Numbers, drained: Numbers) -> list[Case]:
    growing = {AGE: for_minutes(120, standing[AGE], 60.0)}
    backlog = {AGE: f"{for_minutes(60, 1200)} {for_minutes(60, drained[AGE])}", DONE: for_minutes(120, 0, 5)}
    return [
        ("nothing happens", steady(drained), 60, set()),
        ("workers that have finished nothing since they began", steady(standing) | growing, 25, {"FacerecQueueStands"}),
        ("and for long", steady(standing) | growing, 60, {"FacerecQueueStands", "FacerecQueueOld"}),
        ("no worker counts any more", steady({LENGTH: 3.0}), 60, {"FacerecQueueStands"}),
        ("a long queue that moves", steady(standing) | backlog, 50, {"FacerecQueueOld"}),
        ("the backlog is done", steady(drained) | backlog, 90, set()),
        (
            "jobs that wait while others fail",
            steady(standing) | {FAILED: for_minutes(120, 0, 0.5)} | {DONE: for_minutes(120, 0, 9)},
            60,
            set(),
        ),
        ("RabbitMQ does not tell", steady({**drained, LENGTH: math.nan, DEAD: math.nan}), 60, set()),
        (
            "a full queue that moves",
            steady({**drained, LENGTH: 90_000}) | {DONE: for_minutes(120, 0, 900)},
            30,
            {"FacerecQueueFull"},
        ),
        ("dead letters of yesterday, seen for the first time", steady({**drained, DEAD: 7}), 30, set()),
        (
            "the first dead letter",
            steady(drained) | {DEAD: f"{for_minutes(20, 0)} {for_minutes(100, 1)}"},
            30,
            {"FacerecDeadLetters"},
        ),
        ("an hour later", steady(drained) | {DEAD: f"{for_minutes(20, 0)} {for_minutes(100, 1)}"}, 90, set()),
    ]


def of_rates(drained: Numbers) -> list[Case]:
    bucket = f"facerec_rest_request_seconds_bucket{{le=%s, {ROUTE}}}"
    slow = {bucket % f'"{le}"': for_minutes(120, 0, rate) for le, rate in (("2.5", 0), ("5.0", 60), ("+Inf", 60))}
    return [
        (
            "errors of ours",
            steady(drained)
            | {REQUESTS + '"500"}': for_minutes(120, 0, 6), REQUESTS + '"202"}': for_minutes(120, 4, 60)},
            30,
            {"FacerecErrors"},
        ),
        (
            "few errors",
            steady(drained)
            | {REQUESTS + '"500"}': for_minutes(120, 0, 1), REQUESTS + '"202"}': for_minutes(120, 4, 60)},
            30,
            set(),
        ),
        ("slow answers", steady(drained) | slow, 30, {"FacerecSlowAnswers"}),
        (
            "one job in five fails",
            steady(drained) | {FAILED: for_minutes(120, 0, 2), DONE: for_minutes(120, 0, 8)},
            60,
            {"FacerecManyFailures"},
        ),
    ]


def of_what_is_away(drained: Numbers) -> list[Case]:
    behind = {'facerec_index_position{pod="b"}': for_minutes(120, 20_000)}
    alarm = {"rabbitmq_alarms_memory_used_watermark": for_minutes(120, 1)}
    return [
        ("REST is away", steady(drained) | {'up{job="rest"}': for_minutes(120, 0)}, 30, {"FacerecRestDown"}),
        ("workers are away", steady(drained) | {'up{job="worker"}': for_minutes(120, 0)}, 30, {"FacerecNoWorker"}),
        ("RabbitMQ is away", steady(drained) | {'up{job="rabbitmq"}': for_minutes(120, 0)}, 30, {"FacerecRabbitDown"}),
        ("Redis takes no writes", steady({**drained, REDIS: 0}), 30, {"FacerecRedisRefusesWrites"}),
        ("no picture can be kept", steady({**drained, PICTURES: 0}), 30, {"FacerecPicturesNotKept"}),
        ("an index is behind", steady(drained) | behind, 30, {"FacerecIndexBehind"}),
        ("RabbitMQ is short of memory", steady(drained) | alarm, 30, {"FacerecRabbitAlarm"}),
    ]
