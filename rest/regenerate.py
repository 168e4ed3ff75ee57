"""Moving everything to another model: start it, watch it, steer it. It concerns all owners, so the owner ``default`` alone may."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import Forbidden, NotFound
from facerec.identity import DEFAULT_OWNER
from facerec.regeneration import ACTIONS
from facerec.services.regeneration import Regeneration, Wishes
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Strict
from rest.params import no_query, read_json

_BODY_LIMIT = 64 * 1024
_ERRORS = (400, 401, 403, 409, 503)


class RegenerateWishes(Strict):
    """What to do. Each machine that shares the work by ``every_other`` starts its own share of the same run."""

    regenerate: str = Field("encodings", description="comma list of encodings, thumbnails, normalized")
    model: str = Field("", description="the model to move to; empty: the current one")
    detector: str = Field("", description="or the detector to move to: hog, cnn, cnn_hog")
    min_id: int = Field(0, ge=0, description="face ids from here, inclusive")
    max_id: int = Field((1 << 63) - 1, ge=0, description="face ids up to here, inclusive")
    every_other: int = Field(1, ge=1, description="only face ids that leave every_other_offset modulo this")
    every_other_offset: int = Field(0, ge=0)
    workers: int = Field(0, ge=0, le=10_000, description="jobs at once; 0: what the workers can take")
    encoding_size: str = Field("", description="skip faces whose encoding has this length, or is of this model")
    keep_days: float = Field(7.0, ge=0, le=3650, description="the old set is kept for so long after the cut-over")
    dry_run: bool = Field(False, description="only say what would be done")


class RegenerateStatus(BaseModel):
    """``phase``: none, running, paused, ready (to be cut over), switching, settling, cut over, or dropping."""

    phase: str
    run: int | None = None
    switched: bool | None = None
    model: str | None = None
    current_model: str | None = None
    images: int | None = Field(None, description="finished images")
    done: int | None = Field(None, description="those in both sets")
    rate: float | None = Field(None, description="images a second")
    seconds_left: float | None = None


def register_regenerate(app: Flask) -> None:
    regenerate = Blueprint("regenerate", __name__)
    regenerate.before_request(authenticate)
    regenerate.before_request(_only_default)
    regenerate.get("/regenerate")(get_regenerate)
    regenerate.post("/regenerate")(post_regenerate)
    regenerate.get("/regenerate/report")(get_report)
    for action in ACTIONS:
        path = action.replace(" ", "-")
        view = _described(f"{action.capitalize()} it", partial(_act, action))
        regenerate.add_url_rule(f"/regenerate/{path}", f"post_{path}", view, methods=["POST"])
    app.register_blueprint(regenerate)


def _only_default() -> None:
    if owner() != DEFAULT_OWNER:
        raise Forbidden(f"this concerns all owners: only the owner {DEFAULT_OWNER} may")


def _regeneration() -> Regeneration:
    return services().regeneration


@describes(Operation("How the regeneration goes", answer=RegenerateStatus, errors=_ERRORS))
def get_regenerate() -> Response:
    no_query(request)
    return jsonify(_regeneration().status() or {"phase": "none"})


@describes(
    Operation(
        "Move all faces to another model, or add a share to the run under way",
        body=RegenerateWishes,
        answer=RegenerateStatus,
        status=202,
        errors=_ERRORS,
    )
)
def post_regenerate() -> tuple[Response, int]:
    no_query(request)
    fields: dict[str, Any] = read_json(request, RegenerateWishes, _BODY_LIMIT).model_dump()
    is_dry = fields.pop("dry_run")
    wishes = Wishes(**fields)
    if is_dry:
        return jsonify(_regeneration().preview(wishes)), 202
    return jsonify(_regeneration().start(wishes)), 202


@describes(Operation("What became of every face", answer=dict[str, Any], errors=(*_ERRORS, 404)))
def get_report() -> Response:
    no_query(request)
    report = _regeneration().report()
    if report is None:
        raise NotFound("there was no regeneration")
    return jsonify(report)


def _act(action: str) -> Response:
    no_query(request)
    return jsonify(_regeneration().act(action))


def _described(summary: str, act: Callable[[], Response]) -> Callable[[], Response]:
    @describes(Operation(summary, answer=RegenerateStatus, errors=_ERRORS))
    def view() -> Response:
        return act()

    return view
