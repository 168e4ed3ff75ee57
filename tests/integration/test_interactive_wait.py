"""A person never waits behind a bulk load."""

from __future__ import annotations

from pathlib import Path

from benchmarks.interactive import measure
from facerec.config import RabbitSettings, RedisSettings


def test_detect_answers_within_one_and_a_half_scans_while_five_hundred_wait(
    redis_settings: RedisSettings, rabbit_settings: RabbitSettings, tmp_path: Path
) -> None:
    result = measure(redis_settings, rabbit_settings, tmp_path, bulk=520, asks=9)
    assert result["still_waiting"] >= 400
    assert result["detect_over_scan"] <= 1.5
