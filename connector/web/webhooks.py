"""Routes of incoming webhooks: those of their owners, and the one that fires them, which needs no key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, MethodNotAllowed

from connector.domain.callers import Caller
from connector.domain.errors import InvalidInput
from connector.domain.signatures import Signed
from connector.domain.webhooks import Admitted, Fired, Sent
from connector.web.idempotency import HEADER, Idempotency, begin_once, remember_answers
from connector.web.inputs import load_input
from connector.web.limits import pass_on
from connector.web.lists import listed
from schemas.webhooks import Accepted, RotateInput, WebhookInput
from wire.json_text import SPACE, parse_json

_METHODS: Final = ["GET", "POST"]
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_ACCEPTED: Final = Accepted()


class Webhooks(Protocol):
    """Webhooks as one caller sees them."""

    def create(self, asked: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Makes a webhook."""

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's webhooks."""

    def one(self, webhook_id: str, caller: Caller) -> dict[str, Any]:
        """The caller's webhook."""

    def calls(self, webhook_id: str, caller: Caller) -> list[dict[str, Any]]:
        """The newest requests to a webhook."""

    def rotate(self, webhook_id: str, asked: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Gives a webhook a new address."""

    def end(self, webhook_id: str, caller: Caller) -> dict[str, Any]:
        """Ends a webhook."""


class Firing(Protocol):
    """What fires a webhook."""

    def admit(self, token: str, sent: Sent) -> Admitted:
        """The webhook with this token."""

    def refusals(self, admitted: Admitted) -> AbstractContextManager[None]:
        """Keeps the error that ends the block."""

    def run(self, admitted: Admitted, given: Sequence[Any]) -> Fired:
        """Does what was asked for."""


def add_webhook_routes(
    routes: Blueprint,
    webhooks: Webhooks,
    caller: Callable[[], Caller],
    *,
    paged: bool,
) -> None:
    """Adds `/webhooks` to the routes of a platform."""
    schema, rotate_schema = WebhookInput(), RotateInput()

    def create() -> Response:
        who = caller()
        asked = load_input(request, schema)
        response = jsonify(webhooks.create(asked, who))
        response.status_code = 201
        return response

    def every() -> Response:
        return listed(webhooks.listed(caller()), None, paged=paged)

    def one(webhook_id: str) -> Response:
        return jsonify(webhooks.one(webhook_id, caller()))

    def calls(webhook_id: str) -> Response:
        return listed(webhooks.calls(webhook_id, caller()), None, paged=paged)

    def rotate(webhook_id: str) -> Response:
        who = caller()
        asked = load_input(request, rotate_schema)
        return jsonify(webhooks.rotate(webhook_id, asked, who))

    def end(webhook_id: str) -> Response:
        return jsonify(webhooks.end(webhook_id, caller()))

    item = "/webhooks/<webhook_id>"
    routes.add_url_rule("/webhooks", "make_webhook", create, methods=["POST"])
    routes.add_url_rule("/webhooks", "webhooks", every)
    routes.add_url_rule(item, "webhook", one)
    routes.add_url_rule(item, "end_webhook", end, methods=["DELETE"])
    routes.add_url_rule(f"{item}/calls", "webhook_calls", calls)
    routes.add_url_rule(f"{item}/rotate", "rotate_webhook", rotate, methods=["POST"])


def firing_routes(firing: Firing, idempotency: Idempotency) -> Blueprint:
    """`/webhooks/{token}`. The token is a secret: it is in no log and in no answer."""
    routes = Blueprint("webhooks", __name__)

    def fire(token: str) -> Response:
        # Those who only want to see whether it is there must not pay for it.
        if request.method == "HEAD":
            raise MethodNotAllowed(_METHODS)
        admitted = firing.admit(token, _sent())
        with firing.refusals(admitted):
            if admitted.attempt and (replayed := begin_once(idempotency, admitted.attempt)):
                return replayed
            given = _given()
        return _answer(firing.run(admitted, given))

    routes.add_url_rule("/webhooks/<token>", "fire", fire, methods=_METHODS)
    remember_answers(routes, idempotency)
    return routes


def _answer(fired: Fired) -> Response:
    if fired.accepted is None:
        return pass_on(fired.rate_limit, jsonify(fired.row))
    response = jsonify(_ACCEPTED.dump(fired.accepted))
    response.status_code = 202
    return response


def _sent() -> Sent:
    try:
        # Kept, so that a form can be parsed from it afterwards.
        body = request.get_data()
    except BadRequest as exc:
        raise InvalidInput("The request body is incomplete or malformed.") from exc
    headers = request.headers
    kind = request.query_string + f"\n{request.mimetype}\n".encode()
    signed = Signed(lambda name: headers.get(name, "").strip(), body)
    return Sent(signed, headers.get(HEADER, "").strip(), kind)


def _given() -> list[Any]:
    """What was sent as values, the body before the query."""
    try:
        body = _body() if request.method == "POST" else {}
        return [body, request.args.to_dict()]
    except BadRequest as exc:
        raise InvalidInput("The request body is incomplete or malformed.") from exc


def _body() -> Any:
    """The body as a JSON value: as JSON, whatever it calls itself, else as a form, else as text.

    curl calls JSON a form, and spreadsheets call it text, unless they are told otherwise.
    """
    raw = request.get_data()
    is_json = request.mimetype == "application/json" or request.mimetype.endswith("+json")
    if is_json or raw.lstrip().startswith((b"{", b"[")):
        try:
            return parse_json(raw)
        except ValueError as exc:
            if is_json and raw.strip(SPACE):
                raise InvalidInput("The request body is not valid JSON.") from exc
    if request.mimetype in _FORMS:
        # A part without a name is no field; werkzeug calls it None.
        return {name: text for name, text in request.form.items() if name}
    return raw.decode("utf-8-sig", "replace")
