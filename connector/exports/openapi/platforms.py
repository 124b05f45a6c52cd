"""The routes of one platform, as the web door builds them from the catalog."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import Schema

from connector.domain import errors
from connector.domain.platforms import Platform
from connector.exports.openapi.headers import IDEMPOTENCY_KEY, RATE_LIMIT, REQUEST_ID, sent
from connector.exports.openapi.responses import EVERYWHERE, Responses
from connector.exports.openapi.schema_objects import SchemaConverter
from schemas.account import DeleteInput, Deletion
from schemas.catalog import Action, Batch, Catalog, PickList, Trigger
from schemas.fields import declared_fields, sample_of
from schemas.history import HistoryRow
from schemas.hooks import (
    Delivery,
    DeliveryRow,
    Hook,
    HookEnd,
    HookInput,
    ReplayedDead,
    ReplayResult,
)
from schemas.inputs import DeliveriesInput, HistoryInput, PageInput, ReplayInput
from schemas.jobs import BatchRow, Job, JobRowsInput
from schemas.universal import Choice
from schemas.usage import Usage
from schemas.webhooks import RotateInput, Webhook, WebhookCall, WebhookEnd, WebhookInput

_UPSTREAM: Final = (
    errors.InvalidApiKey,
    errors.InsufficientCredits,
    errors.RateLimited,
    errors.UpstreamInvalid,
    errors.UpstreamUnavailable,
    errors.UpstreamTimeout,
)
_LOOK_UP: Final = (errors.InvalidInput, errors.InvalidHandle, *_UPSTREAM)
_EITHER_KEY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"header": []}]
_POLLED: Final = (
    "A poll looks at the profiles that are due and answers what was noticed, then and before. A look"
    " that finds the profile costs 2 credits; a poll before its time costs nothing."
)
_SIGNED: Final = (
    "Each event is posted to the target URL as one flat row, signed by Standard Webhooks with the secret"
    " of this answer, and tried ten times over about 75 hours. An answer of 410 ends the subscription."
)
_NARROWED: Final = (errors.InvalidInput, errors.NotFound, *_UPSTREAM)
_REFUSED_POSTS: Final = (
    errors.IdempotencyKeyBusy,
    errors.BeingDeleted,
    errors.IdempotencyKeyReused,
)
_TEXT: Final = {"type": "string", "minLength": 1}
_NUMBER: Final = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_QUERY_TOO: Final = "Input may also stand in the query; what the body holds comes first."


def platform_paths(
    catalog: Catalog, platform: Platform, converter: SchemaConverter, responses: Responses
) -> dict[str, Any]:
    """Path items for everything in the catalog, and for the connection test."""
    writer = _Writer(platform, converter, responses)
    root = f"/{platform.key}"
    universal = catalog.universal
    paths = {
        f"{root}/me": {
            "get": writer.connection_test(catalog.connection.output),
            "delete": writer.delete_all(),
        },
        f"{root}/usage": {"get": writer.usage()},
        f"{root}/{universal.key}": {"post": writer.action(universal)},
    }
    paths |= {f"{root}/rpcs/{p.key}": {"get": writer.pick_list(p)} for p in catalog.pick_lists}
    paths |= {f"{root}/actions/{a.key}": {"post": writer.action(a)} for a in catalog.actions}
    paths |= {f"{root}/searches/{s.key}": writer.search(s) for s in catalog.searches}
    paths |= {f"{root}/triggers/{t.key}": {"get": writer.trigger(t)} for t in catalog.triggers}
    paths |= {
        f"{root}/profiles/{{handle}}/history": {"get": writer.history()},
        f"{root}/hooks": {"get": writer.hooks(), "post": writer.subscribe()},
        f"{root}/hooks/{{subscription_id}}": {"get": writer.hook(), "delete": writer.unsubscribe()},
        f"{root}/hooks/{{subscription_id}}/rotate": {"post": writer.rotate()},
        f"{root}/hooks/{{subscription_id}}/test": {"post": writer.test()},
        f"{root}/jobs": {"get": writer.jobs()},
        f"{root}/jobs/{{job_id}}": {"get": writer.job(), "delete": writer.cancel()},
        f"{root}/jobs/{{job_id}}/rows": {"get": writer.job_rows()},
        f"{root}/webhooks": {"get": writer.webhooks(), "post": writer.make_webhook()},
        f"{root}/webhooks/{{webhook_id}}": {
            "get": writer.webhook(),
            "delete": writer.end_webhook(),
        },
        f"{root}/webhooks/{{webhook_id}}/calls": {"get": writer.webhook_calls()},
        f"{root}/webhooks/{{webhook_id}}/rotate": {"post": writer.rotate_webhook()},
        f"{root}/deliveries": {"get": writer.deliveries()},
        f"{root}/deliveries/replay": {"post": writer.replay_dead()},
        f"{root}/deliveries/{{delivery_id}}": {"get": writer.delivery()},
        f"{root}/deliveries/{{delivery_id}}/replay": {"post": writer.replay()},
    }
    for operations in paths.values():
        if "post" in operations:
            _heed_key(operations["post"], responses)
    return paths


def _heed_key(operation: dict[str, Any], responses: Responses) -> None:
    """Adds what every POST shares: the key that keeps it from being done twice."""
    refused = responses.of(errors=_REFUSED_POSTS)
    operation["parameters"] = [*operation["parameters"], IDEMPOTENCY_KEY]
    operation["responses"] = dict(sorted({**operation["responses"], **refused}.items()))


@dataclass(frozen=True)
class _Writer:
    platform: Platform
    converter: SchemaConverter
    responses: Responses

    def connection_test(self, output: type[Schema]) -> dict[str, Any]:
        return {
            **self._head("me", "Test the connection"),
            "description": "Returns what identifies the connection. Costs nothing.",
            "security": _EITHER_KEY,
            "parameters": [REQUEST_ID],
            "responses": {
                "200": self._answer(
                    "The key works.", self.converter.reference(output), self._sample(output)
                ),
                **self.responses.of(*EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def delete_all(self) -> dict[str, Any]:
        goes_on = self._own("It goes on; the same request tells how it stands.", Deletion)
        goes_on["content"]["application/json"]["example"] |= {"deleted": False}
        return {
            **self._head("delete_me", "Delete everything"),
            "description": (
                "Deletes all that is kept for the API key on this platform: the key itself, watched"
                " profiles with their history, subscriptions, deliveries, webhooks, jobs and usage. It"
                " does not come back. Twice is no error."
            ),
            **self._reads_query(*self._query(DeleteInput)),
            "responses": {
                "200": self._own("Nothing is kept any more.", Deletion),
                "202": goes_on,
                **self.responses.of(413, *EVERYWHERE, errors=(errors.InvalidInput, *_UPSTREAM)),
            },
        }

    def usage(self) -> dict[str, Any]:
        return {
            **self._head("usage", "See what was spent"),
            "description": "Returns credits by what asked, today and this month (UTC). Costs nothing.",
            "security": _EITHER_KEY,
            "parameters": [REQUEST_ID],
            "responses": {
                "200": self._answer(
                    "Credits spent through this connector, on this platform.",
                    self.converter.reference(Usage),
                    self._sample(Usage),
                ),
                **self.responses.of(*EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def action(self, action: Action) -> dict[str, Any]:
        looks_up = action.effect == "read" and not action.free
        failures = (*_LOOK_UP, errors.ProfileNotFound) if looks_up else _failures(action)
        answer = self._own(action.noun, action.output)
        if looks_up:
            answer["headers"] = sent(*RATE_LIMIT)
        return {
            **self._head(action.key, action.label),
            "description": f"{action.description}\n\n{_QUERY_TOO}",
            **self._reads_body(action.input),
            "responses": {
                "200": answer,
                **({"202": self._begun(action)} if isinstance(action, Batch) else {}),
                **self.responses.of(413, *EVERYWHERE, errors=failures),
            },
        }

    def _begun(self, batch: Batch) -> dict[str, Any]:
        job = self._own("It goes on as a job.", batch.output)
        example = job["content"]["application/json"]["example"]
        more: dict[str, object] = {"state": "running", "ended_at": None, "profiles": []}
        job["content"]["application/json"]["example"] = example | more
        return job

    def search(self, search: Action) -> dict[str, Any]:
        name = f"{self.platform.key}_{search.key}"
        failures = _failures(search)
        found = self.responses.shared(name, self._list(search))
        return {
            "get": {
                **self._head(f"{search.key}_by_query", search.label),
                "description": search.description,
                "security": _EITHER_KEY,
                "parameters": [*self._query(search.input), REQUEST_ID],
                "responses": {"200": found, **self.responses.of(*EVERYWHERE, errors=failures)},
            },
            "post": {
                **self._head(search.key, search.label),
                "description": f"{search.description}\n\n{_QUERY_TOO}",
                **self._reads_body(search.input),
                "responses": {"200": found, **self.responses.of(413, *EVERYWHERE, errors=failures)},
            },
        }

    def trigger(self, trigger: Trigger) -> dict[str, Any]:
        rows = {"type": "array", "items": self.converter.reference(trigger.output)}
        answer = self._paged(rows, [self._own_words(trigger.sample)], cursor=["integer", "null"])
        failures = (*_LOOK_UP, errors.ProfileNotFound, errors.BudgetExceeded, errors.BeingDeleted)
        answer["description"] = "The newest events, newest first. On the first poll, samples."
        answer["headers"] = sent("X-Next-Cursor")
        return {
            **self._head(f"trigger_{trigger.key}", trigger.label),
            "description": f"{trigger.description}\n\n{_POLLED}",
            "security": _EITHER_KEY,
            "parameters": [
                *self._query(trigger.input),
                *self._query(PageInput),
                REQUEST_ID,
            ],
            "responses": {"200": answer, **self.responses.of(*EVERYWHERE, errors=failures)},
        }

    def history(self) -> dict[str, Any]:
        failures = (errors.InvalidInput, errors.InvalidHandle, errors.NotWatched, *_UPSTREAM)
        return {
            **self._head("history", "Get a profile's history"),
            "description": "Every look at a profile that this key watches, newest first. As CSV, a"
            " text that a spreadsheet would take for a formula has a `'` in front. Costs nothing.",
            **self._reads_query(_in_path("handle", _TEXT), *self._query(HistoryInput)),
            "responses": {
                "200": self._as_table("The looks.", HistoryRow),
                **self.responses.of(404, *EVERYWHERE, errors=failures),
            },
        }

    def jobs(self) -> dict[str, Any]:
        return {
            **self._head("jobs", "List jobs"),
            "description": "The newest 100 jobs of this key, newest first, without their rows. Jobs"
            " are deleted 30 days after they ended.",
            **self._reads_query(),
            "responses": {
                "200": self._own_list("The jobs.", Job),
                **self.responses.of(*EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def job(self) -> dict[str, Any]:
        return {
            **self._head("job", "Get a job"),
            "description": "How it stands; the rows too, when it has ended and they fit into 4 MB."
            " Costs nothing.",
            **self._reads_query(_in_path("job_id", _TEXT)),
            "responses": self._of_a_job(self._own("The job.", Job)),
        }

    def cancel(self) -> dict[str, Any]:
        return {
            **self._head("cancel_job", "Cancel a job"),
            "description": "Ends it: what was looked up stays, what is being looked up is finished,"
            " the rest is not tried. Twice is no error; one that has ended stays as it is.",
            **self._reads_query(_in_path("job_id", _TEXT)),
            "responses": self._of_a_job(self._own("The job.", Job)),
        }

    def job_rows(self) -> dict[str, Any]:
        return {
            **self._head("job_rows", "Get a job's rows"),
            "description": "One for each distinct handle, in the order of the input, also while the"
            " job goes on. As CSV, lists are JSON, and a text that a spreadsheet would take for a"
            " formula has a `'` in front. Costs nothing.",
            **self._reads_query(_in_path("job_id", _TEXT), *self._query(JobRowsInput)),
            "responses": self._of_a_job(self._as_table("The rows.", BatchRow), errors.InvalidInput),
        }

    def _of_a_job(
        self, answer: dict[str, Any], *more: type[errors.ConnectorError]
    ) -> dict[str, Any]:
        failures = (*more, errors.NotFound, *_UPSTREAM)
        return {"200": answer, **self.responses.of(404, *EVERYWHERE, errors=failures)}

    def _as_table(self, description: str, row: type[Schema]) -> dict[str, Any]:
        rows = {"type": "array", "items": self.converter.reference(row)}
        sample = self._sample(row)
        answer = self._paged(rows, [sample], cursor=["integer", "null"])
        lines = (sample.keys(), map(_written, sample.values()))
        table = "".join(f"{','.join(line)}\r\n" for line in lines)
        answer["content"]["text/csv"] = {"schema": {"type": "string"}, "example": table}
        return answer | {"description": description, "headers": sent("X-Next-Cursor")}

    def subscribe(self) -> dict[str, Any]:
        return {
            **self._head("subscribe", "Subscribe to a trigger"),
            "description": f"{_SIGNED}\n\n{_QUERY_TOO}",
            **self._reads_body(HookInput),
            "responses": {
                "201": self._own("The subscription, with its secret.", Hook),
                **self.responses.of(413, *EVERYWHERE, errors=_LOOK_UP),
            },
        }

    def hooks(self) -> dict[str, Any]:
        return {
            **self._head("hooks", "List subscriptions"),
            "description": "The subscriptions of this key that are delivered, oldest first.",
            **self._reads_query(),
            "responses": {
                "200": self._own_list("The subscriptions.", Hook),
                **self.responses.of(*EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def hook(self) -> dict[str, Any]:
        return {
            **self._head("hook", "Get a subscription"),
            "description": "The subscription as it stands, without its secret.",
            **self._reads_query(_in_path("subscription_id", _TEXT)),
            "responses": {
                "200": self._own("The subscription.", Hook),
                **self.responses.of(404, *EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def rotate(self) -> dict[str, Any]:
        return {
            **self._head("rotate", "Replace a signing secret"),
            "description": "Answers a new secret. For 24 hours deliveries are signed with the one"
            " before as well; with one that is older, no more.",
            **self._reads_query(_in_path("subscription_id", _TEXT)),
            "responses": {
                "200": self._own("The subscription, with its new secret.", Hook),
                **self.responses.of(404, *EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def test(self) -> dict[str, Any]:
        return {
            **self._head("test", "Send a test event"),
            "description": "Sends a sample, made from a watched profile as it was last seen, the way"
            " events go. Its `event_id` starts with `test:`. Costs nothing; one in 10 seconds.",
            **self._reads_query(_in_path("subscription_id", _TEXT)),
            "responses": {
                "200": self._own("It is on its way.", ReplayResult),
                **self.responses.of(404, *EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def unsubscribe(self) -> dict[str, Any]:
        return {
            **self._head("unsubscribe", "End a subscription"),
            "description": "Ends it, with what was still to be delivered. Twice is no error.",
            **self._reads_query(_in_path("subscription_id", _TEXT)),
            "responses": {
                "200": self._own("Whether it was there.", HookEnd),
                **self.responses.of(404, *EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def deliveries(self) -> dict[str, Any]:
        return {
            **self._head("deliveries", "List deliveries"),
            "description": "The newest 100 events on their way to receivers, newest first.",
            **self._reads_query(*self._query(DeliveriesInput)),
            "responses": {
                "200": self._own_list("The deliveries.", DeliveryRow),
                **self.responses.of(*EVERYWHERE, errors=_NARROWED),
            },
        }

    def delivery(self) -> dict[str, Any]:
        return {
            **self._head("delivery", "Get a delivery"),
            "description": "What is sent, and what the receiver answered to each try. In the answers,"
            " what looks like a secret is `***`. Costs nothing.",
            **self._reads_query(_in_path("delivery_id", _NUMBER)),
            "responses": {
                "200": self._own("The delivery.", Delivery),
                **self.responses.of(*EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def replay_dead(self) -> dict[str, Any]:
        return {
            **self._head("replay_dead", "Send all dead deliveries again"),
            "description": "The oldest 1,000, of this key or of one subscription, as if each were sent"
            f" again by itself. Costs nothing.\n\n{_QUERY_TOO}",
            **self._reads_body(ReplayInput),
            "responses": {
                "200": self._own("They are on their way.", ReplayedDead),
                **self.responses.of(413, *EVERYWHERE, errors=_NARROWED),
            },
        }

    def replay(self) -> dict[str, Any]:
        return {
            **self._head("replay", "Send a delivery again"),
            "description": "With the same id, and on the whole schedule. Costs nothing. A"
            " subscription that was disabled is active again.",
            **self._reads_query(_in_path("delivery_id", _NUMBER)),
            "responses": {
                "200": self._own("It is on its way.", ReplayResult),
                **self.responses.of(*EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def make_webhook(self) -> dict[str, Any]:
        return {
            **self._head("make_webhook", "Make a webhook"),
            "description": "Its address looks profiles up with this key, for whoever knows it, within"
            f" its own limits. Address and secrets are shown once.\n\n{_QUERY_TOO}",
            **self._reads_body(WebhookInput),
            "responses": {
                "201": self._own("The webhook, with its address and secrets.", Webhook),
                **self.responses.of(413, *EVERYWHERE, errors=(errors.InvalidInput, *_UPSTREAM)),
            },
        }

    def webhooks(self) -> dict[str, Any]:
        return {
            **self._head("webhooks", "List webhooks"),
            "description": "The webhooks of this key, oldest first, without addresses and secrets.",
            **self._reads_query(),
            "responses": {
                "200": self._own_list("The webhooks.", Webhook),
                **self.responses.of(*EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def webhook(self) -> dict[str, Any]:
        return {
            **self._head("webhook", "Get a webhook"),
            "description": "The webhook as it stands, without its address and secrets.",
            **self._reads_query(_in_path("webhook_id", _TEXT)),
            "responses": {
                "200": self._own("The webhook.", Webhook),
                **self.responses.of(404, *EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def webhook_calls(self) -> dict[str, Any]:
        return {
            **self._head("webhook_calls", "List a webhook's calls"),
            "description": "The newest 50 requests to its address, newest first, also refused ones. Of"
            " those beyond its limit one a minute is kept, and of those that were not let in for another"
            " reason, ten. One that was answered again by its key or its message's id is none.",
            **self._reads_query(_in_path("webhook_id", _TEXT)),
            "responses": {
                "200": self._own_list("The calls.", WebhookCall),
                **self.responses.of(404, *EVERYWHERE, errors=(errors.NotFound, *_UPSTREAM)),
            },
        }

    def rotate_webhook(self) -> dict[str, Any]:
        reads = self._reads_body(RotateInput)
        reads["parameters"] = [_in_path("webhook_id", _TEXT), *reads["parameters"]]
        failures = (errors.InvalidInput, errors.NotFound, *_UPSTREAM)
        return {
            **self._head("rotate_webhook", "Replace a webhook's address"),
            "description": "The address, and the secret that callers sign with, end at once. What is"
            " sent to a target is signed with the secret before as well, for 24 hours.",
            **reads,
            "responses": {
                "200": self._own("The webhook, with its new address and secrets.", Webhook),
                **self.responses.of(404, 413, *EVERYWHERE, errors=failures),
            },
        }

    def end_webhook(self) -> dict[str, Any]:
        return {
            **self._head("end_webhook", "End a webhook"),
            "description": "Its address is unknown at once. Twice is no error.",
            **self._reads_query(_in_path("webhook_id", _TEXT)),
            "responses": {
                "200": self._own("Whether it was there.", WebhookEnd),
                **self.responses.of(404, *EVERYWHERE, errors=_UPSTREAM),
            },
        }

    def pick_list(self, pick_list: PickList) -> dict[str, Any]:
        choices = [{"label": label, "value": value} for label, value in pick_list.choices]
        schema = {"type": "array", "items": self.converter.reference(Choice)}
        answer = {"schema": schema, "example": choices}
        return {
            **self._head(f"rpc_{pick_list.key}", pick_list.label),
            "description": pick_list.description,
            "security": [],
            "parameters": [REQUEST_ID],
            "responses": {
                "200": {
                    "description": "The choices.",
                    "headers": sent(),
                    "content": {"application/json": answer},
                },
                **self.responses.of(*EVERYWHERE, errors=(errors.RateLimited,)),
            },
        }

    def _head(self, key: str, label: str) -> dict[str, Any]:
        return {
            "operationId": f"{self.platform.key}_{key}",
            "summary": label,
            "tags": [self.platform.key],
        }

    def _reads_body(self, schema: type[Schema]) -> dict[str, Any]:
        json_body = {"schema": self.converter.reference(schema), "example": sample_of(schema)}
        form = self._form(schema)
        return {
            "security": _EITHER_KEY,
            "parameters": [REQUEST_ID],
            "requestBody": {
                "required": bool(form["schema"]["required"]),
                "content": {
                    "application/json": json_body,
                    "application/x-www-form-urlencoded": form,
                    "multipart/form-data": form,
                },
            },
        }

    def _reads_query(self, *parameters: dict[str, Any]) -> dict[str, Any]:
        return {"security": _EITHER_KEY, "parameters": [*parameters, REQUEST_ID]}

    def _own(self, description: str, schema: type[Schema]) -> dict[str, Any]:
        answer = self._answer(description, self.converter.reference(schema), self._sample(schema))
        return answer | {"headers": sent()}

    def _own_list(self, description: str, row: type[Schema]) -> dict[str, Any]:
        rows = {"type": "array", "items": self.converter.reference(row)}
        answer = self._paged(rows, [self._sample(row)], cursor="null")
        return answer | {"description": description, "headers": sent()}

    def _form(self, schema: type[Schema]) -> dict[str, Any]:
        texts = self.converter.texts(schema)
        required = [key for key, field in declared_fields(schema).items() if field.required]
        return {
            "schema": {"type": "object", "properties": texts, "required": required},
            "example": {key: text["examples"][0] for key, text in texts.items()},
        }

    def _query(self, schema: type[Schema]) -> list[dict[str, Any]]:
        return [
            {
                "name": declared_fields(schema)[key].data_key or key,
                "in": "query",
                "required": declared_fields(schema)[key].required,
                "description": text.pop("description"),
                "example": text.pop("examples")[0],
                "schema": text,
            }
            for key, text in self.converter.words(schema).items()
        ]

    def _list(self, search: Action) -> dict[str, Any]:
        row = search.output
        rows: dict[str, Any] = {"type": "array", "items": self.converter.reference(row)}
        if "cursor" in declared_fields(search.input):
            answer = self._paged(rows, [self._sample(row)], cursor=["integer", "null"])
            return answer | {"description": "The rows.", "headers": sent("X-Next-Cursor")}
        answer = self._paged(rows, [self._sample(row)], cursor="null")
        return answer | {"description": "Best match first; a miss is an empty list."}

    def _paged(self, rows: dict[str, Any], sample: Any, *, cursor: object) -> dict[str, Any]:
        if self.platform.paged:
            properties = {"items": rows, "next_cursor": {"type": cursor}}
            rows = {"type": "object", "properties": properties, "required": [*properties]}
            sample = {"items": sample, "next_cursor": None}
        return self._answer("", rows, sample)

    def _answer(self, description: str, schema: Mapping[str, Any], sample: Any) -> dict[str, Any]:
        return {
            "description": description,
            "headers": sent(*RATE_LIMIT),
            "content": {"application/json": {"schema": schema, "example": sample}},
        }

    def _sample(self, schema: type[Schema]) -> dict[str, Any]:
        return self._own_words(sample_of(schema))

    def _own_words(self, sample: dict[str, Any]) -> dict[str, Any]:
        own = {"platform": self.platform.key, "request_source": self.platform.request_source}
        return sample | {key: value for key, value in own.items() if key in sample}


def _failures(action: Action) -> tuple[type[errors.ConnectorError], ...]:
    return (errors.InvalidInput, errors.NotFound, *_UPSTREAM) if action.free else _LOOK_UP


def _written(value: object) -> str:
    """As a cell holds it."""
    if isinstance(value, (list, dict)):
        doubled = json.dumps(value).replace('"', '""')
        return f'"{doubled}"'
    return "" if value is None else str(value)


def _in_path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}
