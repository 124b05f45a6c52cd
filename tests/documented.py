"""Holds real answers, and any JSON value, against an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from jsonschema import Draft202012Validator

from connector.web.headers import ALWAYS

Document = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Of the connection or of the body itself, or for browsers alone; every other header is the product's word.
TRANSPORT = {name.lower() for name in ALWAYS} | {
    "server",
    "date",
    "connection",
    "content-type",
    "content-length",
    "content-disposition",
    "last-modified",
}


def check_value(document: Document, schema: Mapping[str, Any], value: Any) -> None:
    """Raises jsonschema's own error, which says where `value` differs from `schema`."""
    # References lead to the root, so the components stand there too.
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def resolve(document: Document, node: Any) -> Any:
    """What `node` refers to, or itself."""
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def operations(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every operation as (method, path, operation)."""
    for path, item in document["paths"].items():
        yield from ((method, path, item[method]) for method in METHODS if method in item)


def documented_response(document: Document, response: requests.Response) -> Mapping[str, Any]:
    """The response that `document` promises for what was asked and the status that came.

    A method that an address doesn't have is described with those that it has.
    """
    path = re.sub(r"[?#].*", "", response.request.path_url)
    item = document["paths"][template(document, path)]
    method = (response.request.method or "").lower()
    operation = item.get(method) or next(iter(item.values()))
    found: Mapping[str, Any] = resolve(document, operation["responses"][str(response.status_code)])
    return found


def template(document: Document, path: str) -> str:
    """The documented path that `path` is an instance of."""
    return next(
        known
        for known in document["paths"]
        if re.fullmatch("[^/]+".join(map(re.escape, re.split(r"\{\w+\}", known))), path)
    )


def check_answer(document: Document, response: requests.Response) -> None:
    """The status, kind of content, body and every header are as documented."""
    promised = documented_response(document, response)
    _check_headers(document, promised.get("headers", {}), response.headers)
    kind = response.headers["Content-Type"].partition(";")[0]
    content = promised["content"][kind]
    if kind == "application/json" and response.request.method != "HEAD":
        check_value(document, content["schema"], response.json())


def _check_headers(
    document: Document, promised: Mapping[str, Any], sent: Mapping[str, str]
) -> None:
    headers = {name.lower(): resolve(document, header) for name, header in promised.items()}
    assert {name.lower() for name in sent} - TRANSPORT <= set(headers)
    for name, header in headers.items():
        if name not in sent:
            assert not header.get("required"), f"{name} is missing"
        elif header["schema"].get("type") == "integer":
            check_value(document, header["schema"], int(sent[name]))
        else:
            check_value(document, header["schema"], sent[name])
