"""Whether expressions parse, and read only what is there to be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.make_app.app import App
from tests.make_app.iml import ImlError, paths

ANSWER = ("body", "headers", "statusCode")
# Directives of a response that are evaluated once for each item.
OF_AN_ITEM = ("output", "trigger")


def expression_faults(app: App) -> list[str]:
    """Faults of every expression in the base, the connection, modules, webhooks and pick lists."""
    faults = [f"base: {f}" for f in _Scope(app, None, inherited=True).faults(app.general("base"))]
    for kind, name, _ in app.every_component():
        form = [entry["name"] for entry in app.form(kind, name)]
        scope = _Scope(app, form, inherited=kind != "connection")
        if kind == "webhook":
            scope.of_webhook(app.code(kind, name, "attach"))
            output = app.code(kind, name, "communication")["output"]
            faults += [f"{kind} {name}: {fault}" for fault in scope.in_delivery(output)]
        for request in app.requests(kind, name).values():
            faults += [f"{kind} {name}: {fault}" for fault in scope.faults(request)]
        if "epoch" in app.components(kind)[name]["codeFiles"]:
            epoch = app.code(kind, name, "epoch")
            response = {"iterate": "", **epoch["response"]}
            offered = scope.faults({**epoch, "response": response})
            faults += [f"{kind} {name}: epoch: {fault}" for fault in offered]
    return faults


class _Scope:
    """What expressions of one component may read; `form` is null where the form is unknown."""

    def __init__(self, app: App, form: list[str] | None, *, inherited: bool) -> None:
        self.form = form
        self.connection = {
            entry["name"]
            for name in app.components("connection")
            for entry in app.form("connection", name)
        }
        self.webhook: set[str] = set()
        self.before = {"parameters", *(("connection",) if inherited else ())}

    def of_webhook(self, attach: Mapping[str, Any]) -> None:
        """Also its address, and what attaching saves."""
        self.webhook = {"url", *attach["response"]["data"]}
        self.before.add("webhook")

    def in_delivery(self, output: Any) -> Iterator[str]:
        """Faults of what a webhook puts out, which reads nothing but the delivery."""
        yield from self._in(output, {"body"})

    def faults(self, request: Mapping[str, Any]) -> Iterator[str]:
        response = request.get("response", {})
        for key, content in request.items():
            if key not in ("response", "pagination"):
                yield from self._in(content, self.before)
        yield from self._in(request.get("pagination", {}), {*self.before, *ANSWER})
        for key, content in response.items():
            known = self.before if key == "limit" else {*self.before, *ANSWER}
            per_item = key in OF_AN_ITEM and "iterate" in response
            yield from self._in(content, {*known, "item"} if per_item else known)

    def _in(self, content: Any, known: set[str]) -> Iterator[str]:
        for template in _texts(content):
            try:
                read = list(paths(template))
            except ImlError as exc:
                yield f"{exc}."
                continue
            for path in read:
                yield from self._unreadable(path, known)

    def _unreadable(self, path: tuple[str, ...], known: set[str]) -> Iterator[str]:
        if path[0] not in known:
            yield f"{path[0]} can't be read there."
        places = {"parameters": self.form, "connection": self.connection, "webhook": self.webhook}
        declared = places.get(path[0])
        if declared is not None and (len(path) < 2 or path[1] not in declared):
            yield f"{'.'.join(path)} is not declared."


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from (*_texts(key), *_texts(value))
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)
