"""The OpenAPI document says all of what is served, and nothing else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema
from openapi_spec_validator import OpenAPIV31SpecValidator

import profile_api.app
from connector.adapters.clock import SystemClock
from connector.adapters.counts import MemoryCounts
from connector.bootstrap import published_document
from connector.domain.platforms import PLATFORMS
from connector.services.handlers import HANDLERS
from connector.web.app import create_app
from connector.web.errors import REFUSALS, STATUSES
from connector.web.metrics import Scrape
from connector.web.rates import UNCOUNTED, Rates
from connector.web.routes import UseCases
from connector.web.viewer import FILE_KINDS
from profile_api import failures
from profile_api.failures import Failure
from profile_api.services.embedded import EmbeddedService
from profile_api.store import Store
from schemas.account import Account, Deletion
from schemas.catalog import CATALOG
from schemas.errors import ErrorBody
from schemas.events import Change, EventRow
from schemas.fields import declared_fields
from schemas.history import HistoryRow
from schemas.hooks import (
    Attempt,
    Delivery,
    DeliveryRow,
    Hook,
    HookEnd,
    HookInput,
    ReplayedDead,
    ReplayResult,
)
from schemas.inputs import ReplayInput
from schemas.universal import Choice
from schemas.video import Video
from schemas.webhooks import Accepted, RotateInput, Webhook, WebhookCall, WebhookEnd, WebhookInput
from tests.documented import METHODS, check_value, operations, resolve
from wire.database import open_engine

DOCUMENT = published_document(CATALOG, with_endpoint=True)
WITHOUT_ENDPOINT = published_document(CATALOG, with_endpoint=False)
ENDPOINT_PATH = profile_api.app.PATH

INPUTS = [item.input for item in (*CATALOG, CATALOG.universal)]
INPUTS += [HookInput, ReplayInput, WebhookInput, RotateInput]
OUTPUTS = [item.output for item in (*CATALOG, CATALOG.universal)]
OUTPUTS += [CATALOG.connection.output, Account, Choice, ErrorBody, Video, EventRow, Change]
OUTPUTS += [Hook, HookEnd, DeliveryRow, Delivery, Attempt, ReplayResult, ReplayedDead, HistoryRow]
OUTPUTS += [Webhook, WebhookCall, WebhookEnd, Accepted, Deletion]


def named(schema: type[Schema]) -> str:
    return schema.__name__


def failing(*_: object) -> Any:
    raise RuntimeError("on purpose")


def use_cases_of(use_case: Any) -> UseCases:
    """Every one of them `use_case`."""
    names = [each.name for each in fields(UseCases)]
    return UseCases(
        **dict.fromkeys(names, use_case) | {"handlers": dict.fromkeys(HANDLERS, use_case)}
    )


NO_LIMITS = Rates(counts=MemoryCounts(), clock=SystemClock(), per_key=0, per_address=0)


def connector_app() -> Flask:
    return create_app(
        use_cases_of(failing),
        document=dict,
        checks={},
        notes={},
        scrape=Scrape(bytes, "text/plain", token=None, is_open=True),
        clock=SystemClock(),
        rates=NO_LIMITS,
        is_outage=lambda exc: False,
        max_deadline_seconds=60,
    )


def endpoint_app() -> Flask:
    clock = SystemClock()
    return profile_api.app.create_app(
        store=Store(open_engine("sqlite://")), service=EmbeddedService(now=clock.now), now=clock.now
    )


def served(app: Flask) -> set[tuple[str, str]]:
    """(method, path) of every rule for programs; HEAD and OPTIONS come along with HTTP itself."""
    return {
        (method.lower(), re.sub(r"<(?:[^>]+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        # Pages for people.
        if not rule.rule.startswith("/console")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def in_document(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for method, path, _ in operations(document)}


@pytest.mark.parametrize("document", [DOCUMENT, WITHOUT_ENDPOINT], ids=["whole", "no endpoint"])
def test_document_is_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_documented_and_nothing_else() -> None:
    assert in_document(DOCUMENT) == served(connector_app()) | served(endpoint_app())


def test_endpoint_elsewhere_is_not_documented() -> None:
    """In front of a hosted API, the connector does not answer at the endpoint's own path."""
    assert in_document(WITHOUT_ENDPOINT) == served(connector_app())
    assert "ProfileApi" not in str(WITHOUT_ENDPOINT)


def test_path_items_hold_only_operations() -> None:
    """So that walking the operations walks everything."""
    for item in DOCUMENT["paths"].values():
        assert set(item) <= set(METHODS)


@pytest.mark.parametrize("schema", [*INPUTS, *OUTPUTS], ids=named)
def test_every_key_is_documented_as_declared(schema: type[Schema]) -> None:
    """In order, with its label, help and sample."""
    described = DOCUMENT["components"]["schemas"][schema.__name__]
    declared = declared_fields(schema)
    assert list(described["properties"]) == list(declared)
    for key, said in described["properties"].items():
        metadata = declared[key].metadata
        assert (said["title"], said["description"]) == (metadata["title"], metadata["description"])
        assert said["examples"] == [metadata["example"]]
        assert said.get("x-upstream", []) == list(metadata["x-upstream"])


@pytest.mark.parametrize("schema", OUTPUTS, ids=named)
def test_every_key_of_an_output_is_promised(schema: type[Schema]) -> None:
    described = DOCUMENT["components"]["schemas"][schema.__name__]
    assert described["required"] == list(declared_fields(schema))
    assert described["additionalProperties"] is True


@pytest.mark.parametrize("row", [CATALOG.actions[0].output, Video], ids=named)
def test_every_value_of_a_row_may_be_null(row: type[Schema]) -> None:
    described = DOCUMENT["components"]["schemas"][row.__name__]
    for said in described["properties"].values():
        assert "null" in said["type"]


def test_every_error_code_is_documented_under_its_status() -> None:
    """And no other: a caller can branch on what it finds there."""
    raised = {(status, kind.code) for kind, status in STATUSES.items()}
    refused = {(status, code) for status, (code, _) in REFUSALS.items()}
    documented = {
        (int(status), code)
        for _, path, operation in operations(WITHOUT_ENDPOINT)
        for status, response in operation["responses"].items()
        # Readiness says in its own form that there is none.
        if int(status) >= 400 and (path, status) != ("/readyz", "503")
        for code in codes_of(response)
    }
    assert documented == raised | refused


def codes_of(response: dict[str, Any]) -> list[str]:
    content = resolve(DOCUMENT, response)["content"]["application/json"]
    body, codes = content["schema"]["allOf"]
    assert body == {"$ref": "#/components/schemas/ErrorBody"}
    enumerated: list[str] = codes["properties"]["error_code"]["enum"]
    assert list(content["examples"]) == enumerated
    return enumerated


@pytest.mark.parametrize("platform", [platform.key for platform in PLATFORMS])
def test_look_ups_name_every_error_that_they_can_end_with(platform: str) -> None:
    """A search answers a miss with an empty list, so it has no 404."""
    every = {str(status) for status in STATUSES.values()} | {"200", "413"}
    every |= {"405", "408", "414", "431", "500"}
    action = DOCUMENT["paths"][f"/{platform}/actions/get_profile"]
    search = DOCUMENT["paths"][f"/{platform}/searches/find_profile"]
    assert set(action["post"]["responses"]) == every
    assert set(search["post"]["responses"]) == every - {"404"}
    assert set(search["get"]["responses"]) == every - {"404", "409", "413", "422"}


def test_only_monitors_are_never_told_to_wait() -> None:
    """The limits of a key and of an address are on every other route."""
    unlimited = {path for _, path, op in operations(DOCUMENT) if "429" not in op["responses"]}
    assert unlimited == UNCOUNTED


SAMPLE_ARGUMENTS: dict[str, Any] = {
    "str": "boom",
    "int": 30,
    "tuple[str, ...]": profile_api.app.REQUEST_SOURCES,
}


@pytest.mark.parametrize(
    "failure",
    [make for name, make in vars(failures).items() if inspect.isfunction(make)],
    ids=lambda make: make.__name__,
)
def test_every_failure_of_the_endpoint_is_documented(failure: Callable[..., Failure]) -> None:
    """With its status and its words, whatever the handle or the reason is."""
    parameters = inspect.signature(failure).parameters.values()
    made = failure(*(SAMPLE_ARGUMENTS[parameter.annotation] for parameter in parameters))
    responses = DOCUMENT["paths"][ENDPOINT_PATH]["post"]["responses"]
    schema = responses[str(made.status)]["content"]["application/json"]["schema"]
    check_value(DOCUMENT, schema, {"error": made.message})


def test_every_example_fits_its_own_schema() -> None:
    checked = 0
    for content in media_types(DOCUMENT):
        examples = [example["value"] for example in content.get("examples", {}).values()]
        for example in [*examples, *([content["example"]] if "example" in content else [])]:
            check_value(DOCUMENT, content["schema"], example)
            checked += 1
    assert checked > 50


def media_types(node: Any) -> list[dict[str, Any]]:
    """Every media type, and every parameter, which has its schema and example in the same way."""
    if isinstance(node, list):
        return [found for child in node for found in media_types(child)]
    if not isinstance(node, dict):
        return []
    own = [node] if isinstance(node.get("schema"), dict) else []
    return own + [found for child in node.values() for found in media_types(child)]


def test_what_never_happens_in_tests_is_documented_too() -> None:
    """A fault of our own, and a server that is not ready."""
    use_cases = use_cases_of(failing)
    app = create_app(
        use_cases,
        document=dict,
        checks={"database": lambda: "Run migrate."},
        notes={},
        scrape=Scrape(bytes, "text/plain", token=None, is_open=True),
        clock=SystemClock(),
        rates=NO_LIMITS,
        is_outage=lambda exc: False,
        max_deadline_seconds=60,
    )
    for path, status in (("/readyz", 503), ("/make/me", 500), ("/make/searches/find_profile", 500)):
        answer = app.test_client().get(
            path, headers={"X-API-Key": "k"}, query_string={"handle": "x"}
        )
        assert answer.status_code == status
        promised = resolve(DOCUMENT, DOCUMENT["paths"][path]["get"]["responses"][str(status)])
        check_value(DOCUMENT, promised["content"]["application/json"]["schema"], answer.json)


def test_every_file_of_the_viewer_is_there() -> None:
    """And nothing beside them: a name is looked up in a list, never in a folder."""
    client = connector_app().test_client()
    page = client.get("/docs", buffered=True).text
    for name, kind in FILE_KINDS.items():
        response = client.get(f"/docs/{name}", buffered=True)
        assert (response.status_code, response.mimetype) == (200, kind)
        assert f'"/docs/{name}"' in page
    for name in ("page.html", "__init__.py", "swagger-ui.js", "..%2fapp.py", "%2e%2e%2fapp.py"):
        assert client.get(f"/docs/{name}").json["error_code"] == "not_found"
