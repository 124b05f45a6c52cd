"""A request's input and caller, whichever way the platform sends them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from connector.domain.errors import InvalidApiKey, InvalidInput
from schemas.fields import Items
from wire.json_text import SPACE, parse_json

_KEY = re.compile(r"[\x21-\x7e]{1,512}")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def api_key_of(request: Request) -> str:
    """The key from `Authorization: Bearer` or, without one, `X-API-Key`.

    Raises `InvalidApiKey` where there is none, or none that a header could carry.
    """
    scheme, _, value = request.headers.get("Authorization", "").strip().partition(" ")
    key = value.strip() if scheme.lower() == "bearer" else ""
    return checked_key(key or request.headers.get("X-API-Key", ""))


def checked_key(text: str) -> str:
    """The key in `text`. Raises `InvalidApiKey` for what no header could carry."""
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise InvalidApiKey
    return key


def load_input(request: Request, schema: Schema) -> dict[str, Any]:
    """The declared input, from JSON or a form before the query; `""` and null count as absent.

    Raises `InvalidInput` with a sentence that names the field.
    """
    try:
        # Most have none, and to look costs more than all that follows.
        query = _flat(request.args, schema) if request.query_string else {}
        given = _given(query) | _given(_body(request, schema))
    except BadRequest as exc:
        raise InvalidInput("The request body is incomplete or malformed.") from exc
    return checked(schema, given)


def checked(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is `given`, as declared; `""` and null count as absent. Raises `InvalidInput`."""
    try:
        values: dict[str, Any] = schema.load(_given(given))
    except ValidationError as exc:
        raise InvalidInput(_sentence(exc)) from exc
    return values


def _given(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if value is not None and value != ""}


def _flat(values: MultiDict[str, str], schema: Schema) -> dict[str, Any]:
    """The first value of each name, or every one where a list is declared, or nothing."""
    flat: dict[str, Any] = values.to_dict()
    for name in values:
        every = values.getlist(name)
        if len(every) > 1 and (name not in schema.fields or isinstance(schema.fields[name], Items)):
            flat[name] = every
    return flat


def _body(request: Request, schema: Schema) -> dict[str, Any]:
    if request.method == "GET":
        return {}
    if request.mimetype in _FORMS:
        return _flat(_form(request), schema)
    text = request.get_data()
    if not text.strip(SPACE):
        return {}
    try:
        value = parse_json(text)
    except ValueError as exc:
        raise InvalidInput("The request body is not valid JSON.") from exc
    if not isinstance(value, dict):
        raise InvalidInput("The request body must be a JSON object.")
    return value


def _form(request: Request) -> MultiDict[str, str]:
    """The fields of a form. Raises `BadRequest` where there is something, and nothing of it is one."""
    # Kept, so that the form can be parsed from it afterwards.
    raw = request.get_data()
    end = f"--{request.mimetype_params.get('boundary', '')}--".encode()
    is_empty = request.mimetype != _FORMS[1] or raw.strip() in (b"", end)
    if not (is_empty or request.form or request.files):
        raise BadRequest
    return request.form


def _sentence(exc: ValidationError) -> str:
    """Marshmallow's messages as one line that starts with the field's name."""
    messages = exc.normalized_messages()  # type: ignore[no-untyped-call]  # untyped there
    name = next(iter(messages))
    return f"{name}: {_first(messages[name])}"


def _first(messages: Any) -> str:
    while isinstance(messages, (dict, list)):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return str(messages)
