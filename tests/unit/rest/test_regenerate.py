"""Who may move everything to another model, and what is refused."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.front import OTHER_TOKEN, TOKEN, Front


def token(text: str) -> dict[str, str]:
    return {"Authorization": f"Token {text}"}


def test_only_the_default_owner_may(guarded_client: FlaskClient) -> None:
    for path in ("/regenerate", "/regenerate/report"):
        assert guarded_client.get(path).status_code == 401
        assert guarded_client.get(path, headers=token(OTHER_TOKEN)).status_code == 403
    for path in ("/regenerate", "/regenerate/cut-over", "/regenerate/cancel"):
        assert guarded_client.post(path, json={}, headers=token(OTHER_TOKEN)).get_json()["code"] == "FORBIDDEN"
    assert guarded_client.get("/regenerate", headers=token(TOKEN)).get_json() == {"phase": "none"}


def test_each_action_has_a_path(client: FlaskClient, front: Front) -> None:
    for path in ("pause", "resume", "cut-over", "roll-back", "cancel", "finish"):
        assert client.post(f"/regenerate/{path}").status_code == 200
    assert front.regenerations.actions == ["pause", "resume", "cut over", "roll back", "cancel", "finish"]
    assert client.post("/regenerate/stop").status_code == 404


def test_without_a_run_there_is_no_report(client: FlaskClient) -> None:
    assert client.get("/regenerate/report").status_code == 404
    assert client.get("/status").get_json()["regeneration"] is None


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"regenerate": "names"}, "regenerate"),
        ({"model": "9"}, "model"),
        ({"detector": "eyes"}, "detector"),
        ({"model": "cnn", "detector": "hog"}, "detector"),
        ({"every_other": 2, "every_other_offset": 2}, "every_other_offset"),
        ({"min_id": 5, "max_id": 4}, "min_id"),
        ({"encoding_size": "big"}, "encoding_size"),
        ({"every_other": 0}, "every_other"),
        ({"speed": 9}, "speed"),
    ],
)
def test_wrong_wishes_are_named(client: FlaskClient, wish: dict[str, object], param: str) -> None:
    answer = client.post("/regenerate", json=wish)
    assert answer.status_code == 400
    assert answer.get_json()["param"] == param


def test_a_dry_run_counts_and_starts_nothing(client: FlaskClient) -> None:
    counted = client.post("/regenerate", json={"detector": "cnn", "dry_run": True}).get_json()
    assert (counted["model"], counted["from"], counted["images"], counted["faces"]) == ("cnn", "hog", 1, 1)
    assert counted["images_to_detect"] == 1
    assert client.get("/regenerate").get_json() == {"phase": "none"}
