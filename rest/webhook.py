"""The webhook of an owner: set, look at, try, remove."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import BaseModel, Field

from facerec.errors import NotFound
from facerec.services.webhooks import ATTEMPTS, Courier, check_webhook, new_secret
from rest.auth import authenticate
from rest.context import owner, services
from rest.docs import Operation, describes
from rest.models import Strict
from rest.params import no_query, read_json

_BODY_LIMIT = 8192
_ERRORS = (400, 401, 403, 404, 503)


class WebhookUrl(Strict):
    url: str = Field(
        description="called by POST when an image is done or failed; must be reachable as URLs to scan must be"
    )


class NewWebhook(BaseModel):
    """``secret`` is shown now and never again: HMAC-SHA256 of "<timestamp>.<body>" under it stands in X-Facerec-Signature."""

    url: str
    secret: str


class Webhook(BaseModel):
    url: str
    attempts: int = Field(description="tries before a call is given up")
    last_at: str | None = Field(description="of the last call, ISO 8601")
    last_status: int | None
    last_error: str | None = Field(description="null when the receiver took it")


class Tried(BaseModel):
    status: int | None
    error: str | None = Field(description="null when the receiver took it")


def register_webhook(app: Flask) -> None:
    webhook = Blueprint("webhook", __name__)
    webhook.before_request(authenticate)
    webhook.get("/webhook")(get_webhook)
    webhook.put("/webhook")(put_webhook)
    webhook.delete("/webhook")(delete_webhook)
    webhook.post("/webhook/test")(post_test)
    app.register_blueprint(webhook)


@describes(Operation("The webhook", answer=Webhook, errors=_ERRORS))
def get_webhook() -> Response:
    no_query(request)
    found = _webhook()
    status = found.get("last_status")
    return jsonify(
        {
            "url": found["url"],
            "attempts": ATTEMPTS,
            "last_at": found.get("last_at"),
            "last_status": int(status) if status else None,
            "last_error": found.get("last_error") or None,
        }
    )


@describes(
    Operation("Set the webhook, with a new secret", body=WebhookUrl, answer=NewWebhook, errors=(400, 401, 403, 503))
)
def put_webhook() -> Response:
    no_query(request)
    url = check_webhook(read_json(request, WebhookUrl, _BODY_LIMIT).url)
    secret = new_secret()
    services().webhooks.set(owner(), url, secret)
    return jsonify({"url": url, "secret": secret})


@describes(Operation("Remove the webhook", answer=dict[str, bool], errors=_ERRORS))
def delete_webhook() -> Response:
    no_query(request)
    if not services().webhooks.remove(owner()):
        raise NotFound("there is no webhook")
    return jsonify({"removed": True})


@describes(Operation("Call the webhook now, with a test event", answer=Tried, errors=(*_ERRORS, 429)))
def post_test() -> Response:
    no_query(request)
    found = _webhook()
    courier = Courier(services().webhooks, services().overview, services().fetcher, services().clock)
    told = courier.call(found["url"], found["secret"], {"event": "test", "owner": owner()})
    return jsonify({"status": told.status, "error": told.error or None})


def _webhook() -> dict[str, str]:
    found = services().webhooks.get(owner())
    if found is None:
        raise NotFound("there is no webhook")
    return found
