"""Runs an app's connection, modules and pick lists against a connector that really answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.make_app.app import App, UnknownToEmulator
from tests.make_app.exchange import Answer, Wire, merged, refuse_unknown
from tests.make_app.form import fill_in
from tests.make_app.iml import evaluate, is_true

MAX_PAGES = 100


@dataclass(frozen=True)
class Connection:
    """A connection as Make keeps it: what was typed, and how it is told from others."""

    parameters: Mapping[str, Any]
    label: str
    uid: str


@dataclass(frozen=True)
class Hook:
    """A webhook as Make keeps it: the variables that it was made with, and what attaching saved."""

    name: str
    variables: Mapping[str, Any]
    data: Mapping[str, Any]


class Runner:
    """One app in front of the connector at `base_url`. `log` is what Make would have logged."""

    def __init__(self, app: App, base_url: str) -> None:
        self.app = app
        self._base = app.general("base")
        self._wire = Wire(base_url, self._base["baseUrl"])

    @property
    def log(self) -> list[dict[str, Any]]:
        return self._wire.log

    def connect(self, **typed: Any) -> Connection:
        """A tested connection. Inherits nothing from the base, as in Make."""
        (name,) = self.app.components("connection")
        parameters = fill_in(self.app.form("connection", name), typed)
        request = self.app.code("connection", name, "communication")
        answer = self._wire.send(request, {"parameters": parameters})
        scope = {"parameters": parameters, **vars(answer)}
        metadata = evaluate(request["response"]["metadata"], scope)
        refuse_unknown("metadata", metadata, {"type", "value"})
        return Connection(
            parameters, metadata["value"], evaluate(request["response"]["uid"], scope)
        )

    def run(self, module: str, connection: Connection, **given: Any) -> list[Any]:
        """The bundles that the module puts out."""
        entry = self.app.components("module")[module]
        request = self._request("module", module)
        variables = self._variables(connection, fill_in(self.app.form("module", module), given))
        if entry["moduleType"] == "search":
            return self._rows(request, variables)
        if entry["moduleType"] in ("action", "universal"):
            return [self._object(request, variables)]
        raise UnknownToEmulator(f"the module type {entry['moduleType']!r}")

    def poll(
        self, module: str, connection: Connection, last: int, **given: Any
    ) -> tuple[list[Any], int]:
        """A run of a polling trigger that has processed up to `last`: its bundles, and the new last."""
        if self.app.components("module")[module]["moduleType"] != "trigger":
            raise UnknownToEmulator(f"{module} is no polling trigger")
        request = self._request("module", module)
        variables = self._variables(connection, fill_in(self.app.form("module", module), given))
        told = [row for row in self._told(request, variables) if row[0] > last]
        limit = evaluate(request["response"]["limit"], variables)
        chosen = sorted(told, key=lambda row: row[0])[:limit]
        return [row for _, row in chosen], chosen[-1][0] if chosen else last

    def starts(self, module: str, connection: Connection, **given: Any) -> list[Any]:
        """What "Choose where to start" offers."""
        request = self._request("module", module)
        epoch = self.app.code("module", module, "epoch")
        refuse_unknown("epoch", epoch, {"qs", "response"})
        response = {**request["response"], **epoch["response"]}
        request = {**request, "qs": {**request["qs"], **epoch["qs"]}, "response": response}
        variables = self._variables(connection, fill_in(self.app.form("module", module), given))
        return self._rows(request, variables)

    def _told(
        self, request: dict[str, Any], variables: dict[str, Any]
    ) -> Iterator[tuple[int, Any]]:
        trigger = request["response"]["trigger"]
        refuse_unknown("trigger", trigger, {"type", "order", "id"})
        if (trigger["type"], trigger["order"]) != ("id", "desc"):
            raise UnknownToEmulator(f"a trigger by {trigger['type']} in order {trigger['order']}")
        for answer in self._pages(request, variables):
            scope = {**variables, **vars(answer)}
            for item in evaluate(request["response"]["iterate"], scope):
                number = evaluate(trigger["id"], {**scope, "item": item})
                if type(number) is not int:
                    raise UnknownToEmulator(f"an id that is no number: {number!r}")
                yield number, item

    def attach(self, module: str, connection: Connection, url: str, **given: Any) -> Hook:
        """The webhook at `url` that a person makes for an instant trigger, by the webhook's own form."""
        name = self._instant(module)["webhook"]
        about = self.app.components("webhook")[name]
        if about["webhookType"] != "web":
            raise UnknownToEmulator(f"the webhook type {about['webhookType']!r}")
        parameters = fill_in(self.app.form("webhook", name), given)
        variables = self._variables(connection, parameters)
        request = self._request("webhook", name, "attach")
        kept = request["response"].pop("data")
        variables["webhook"] = {"url": url}
        answer = self._wire.send(request, variables)
        data = evaluate(kept, {**variables, **vars(answer)})
        return Hook(name, variables, {"url": url, **data})

    def receive(self, module: str, hook: Hook, body: Any) -> Any:
        """The bundle that an instant trigger puts out for the `body` of a delivery."""
        refuse_unknown(
            "an instant trigger", self.app.code("module", module, "communication"), set()
        )
        if self._instant(module)["webhook"] != hook.name or self.app.form("module", module):
            raise UnknownToEmulator(f"{module} of another webhook, or with a form of its own")
        communication = self.app.code("webhook", hook.name, "communication")
        refuse_unknown("a webhook", communication, {"output"})
        bundle = evaluate(communication["output"], {"body": body})
        if not isinstance(bundle, dict):
            raise UnknownToEmulator("a bundle that is no object")
        return bundle

    def detach(self, hook: Hook) -> Answer:
        """What is sent when a person deletes the webhook. Make looks at the status only."""
        request = self._request("webhook", hook.name, "detach")
        return self._wire.send(request, {**hook.variables, "webhook": hook.data})

    def _instant(self, module: str) -> dict[str, Any]:
        entry = self.app.components("module")[module]
        if entry["moduleType"] != "instant_trigger":
            raise UnknownToEmulator(f"{module} is no instant trigger")
        return entry

    def choices(self, rpc: str, connection: Connection) -> list[Any]:
        """The options that a select shows."""
        variables = self._variables(connection, {})
        return self._rows(self._request("rpc", rpc), variables)

    def _request(self, kind: str, component: str, code: str = "communication") -> dict[str, Any]:
        self._wire.timeout_seconds = self._base["timeout"] / 1000
        return merged(self._base, self.app.code(kind, component, code))

    def _variables(self, connection: Connection, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"connection": connection.parameters, "parameters": parameters}

    def _object(self, request: dict[str, Any], variables: dict[str, Any]) -> Any:
        for directive in ("iterate", "limit"):
            if directive in request["response"]:
                raise UnknownToEmulator(f"{directive} in a module that answers one object")
        answer = self._wire.send(request, variables)
        output = evaluate(request["response"]["output"], {**variables, **vars(answer)})
        if not isinstance(output, dict):
            raise UnknownToEmulator("a bundle that is no object")
        return output

    def _rows(self, request: dict[str, Any], variables: dict[str, Any]) -> list[Any]:
        limit = evaluate(request["response"].get("limit"), variables)
        rows: list[Any] = []
        for answer in self._pages(request, variables):
            rows += _iterated(request["response"], {**variables, **vars(answer)})
            if limit is not None and len(rows) >= limit:
                return rows[:limit]
        return rows

    def _pages(self, request: dict[str, Any], variables: dict[str, Any]) -> Iterator[Answer]:
        pagination = request.get("pagination", {"condition": False})
        refuse_unknown("pagination", pagination, {"qs", "condition"})
        for _ in range(MAX_PAGES):
            answer = self._wire.send(request, variables)
            yield answer
            variables = {**variables, **vars(answer)}
            if not is_true(evaluate(pagination["condition"], variables)):
                return
            request = {**request, "qs": {**request.get("qs", {}), **pagination["qs"]}}
        raise UnknownToEmulator(f"more than {MAX_PAGES} pages")


def _iterated(response: Mapping[str, Any], scope: dict[str, Any]) -> Iterator[Any]:
    items = evaluate(response["iterate"], scope)
    if not isinstance(items, list):
        raise UnknownToEmulator("iterate over what is no list")
    for item in items:
        yield evaluate(response["output"], {**scope, "item": item})
