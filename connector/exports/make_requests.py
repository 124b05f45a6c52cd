"""What Make sends for the app, and what it makes of the answers: base, connection, modules, pick lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from marshmallow import Schema

from connector.domain.platforms import PLATFORMS
from connector.exports.make_fields import camel, mapped
from schemas.catalog import Action, PickList, Search, Trigger
from schemas.fields import declared_fields, secrets_of
from schemas.hooks import Hook

PLATFORM: Final = next(platform for platform in PLATFORMS if platform.key == "make")
SANITIZED: Final = {"sanitize": ["request.headers.authorization"]}
# Make ends a module after about 40 s; the connector's own answer, which says more, comes first.
TIMEOUT_MILLISECONDS: Final = round(PLATFORM.deadline_seconds * 1000) + 3000
CURSOR: Final = "cursor"
_GATEWAYS: Final = range(500, 505)
_ERROR_TYPES: Final[Mapping[int, str]] = {
    400: "DataError",
    401: "InvalidAccessTokenError",
    403: "InvalidConfigurationError",
    404: "DataError",
    405: "RuntimeError",
    408: "ConnectionError",
    409: "RuntimeError",
    413: "DataError",
    414: "DataError",
    422: "DataError",
    431: "RuntimeError",
    # Anything else here would count as a failed run, and enough of those switch a scenario off.
    429: "RateLimitError",
    **dict.fromkeys(_GATEWAYS, "ConnectionError"),
}
_MESSAGE: Final = (
    "[{{statusCode}}] {{ifempty(body.error, 'The connector did not say why.')}} {{body.advice}}"
)
# Make takes no delay from an app, so the person has to read it.
_WAIT: Final = " Wait {{ifempty(headers.`retry-after`, 'some')}} seconds."

Request = dict[str, Any]


def errors(statuses: Iterable[int]) -> dict[str, Any]:
    """Make's error type and message for each of the connector's `statuses`.

    A proxy in between may answer any 5xx in its place. Raises KeyError for a status
    whose meaning to a scenario nobody has decided.
    """
    by_status = {
        str(status): {
            "type": _ERROR_TYPES[status],
            "message": _MESSAGE + (_WAIT if status == 429 else ""),
        }
        for status in sorted({*statuses, *_GATEWAYS})
    }
    return {"type": "RuntimeError", "message": _MESSAGE, **by_status}


def base(base_url: str, error: Mapping[str, Any]) -> Request:
    """What modules and pick lists inherit."""
    return {
        "baseUrl": base_url,
        "headers": {"Authorization": "Bearer {{connection.apiKey}}"},
        "timeout": TIMEOUT_MILLISECONDS,
        "response": {"error": error},
        "log": SANITIZED,
    }


def connection_test(base_url: str, error: Mapping[str, Any]) -> Request:
    """The free call that proves a key. A connection inherits nothing, so all is said again."""
    return {
        "url": f"{base_url}/{PLATFORM.key}/me",
        "method": "GET",
        "headers": {"Authorization": "Bearer {{parameters.apiKey}}"},
        "response": {
            "error": error,
            "metadata": {"type": "text", "value": "{{body.label}}"},
            "uid": "{{body.id}}",
        },
        "log": SANITIZED,
    }


def action(item: Action) -> Request:
    """One object in the answer, and an error rather than an empty bundle without it.

    Raises ValueError where no output key can tell the two apart.
    """
    return {
        **_post(f"actions/{item.key}", item),
        "response": {"valid": _valid(item), "output": "{{body}}"},
        **_sanitized(item.input, item.output),
    }


def search(item: Search | Trigger) -> Request:
    """Rows page by page. By GET, since it is the query that Make documents to merge between pages."""
    return {
        "url": f"/{PLATFORM.key}/searches/{item.key}",
        "method": "GET",
        "qs": {key: value for key, value in mapped(item.input).items() if key != CURSOR},
        "response": {
            "iterate": "{{body.items}}",
            "output": "{{item}}",
            "limit": "{{parameters.limit}}",
        },
        "pagination": {
            "qs": {CURSOR: "{{body.next_cursor}}"},
            "condition": "{{body.next_cursor}}",
        },
    }


def trigger(item: Trigger) -> Request:
    """Events page by page, newest first, told apart by their count, which only grows."""
    listed = search(item)
    listed["url"] = f"/{PLATFORM.key}/triggers/{item.key}"
    listed["response"] |= {
        "trigger": {"type": "id", "order": "desc", "id": "{{item.event_sequence}}"}
    }
    return listed


def attach(item: Trigger) -> Request:
    """Subscribes the webhook's address when a person makes one, and keeps what ends it."""
    return {
        "url": f"/{PLATFORM.key}/hooks",
        "method": "POST",
        "body": {
            "trigger": item.key,
            "target_url": "{{webhook.url}}",
            "inputs": mapped(item.input),
        },
        "response": {"data": {"externalHookId": "{{body.id}}"}},
        **_sanitized(item.input, Hook),
    }


def detach() -> Request:
    """Ends the subscription when the webhook is deleted."""
    return {"url": f"/{PLATFORM.key}/hooks/{{{{webhook.externalHookId}}}}", "method": "DELETE"}


def delivered() -> Request:
    """What a delivery puts out: one event, as it was sent."""
    return {"output": "{{body}}"}


def epoch() -> Request:
    """Where to start: the events so far, or what one would look like."""
    return {
        "qs": {"isLoadingSample": "true"},
        "response": {
            "limit": 100,
            "output": {
                "label": "{{item.event_type}} {{item.handle}}",
                "date": "{{item.occurred_at}}",
            },
        },
    }


def universal(item: Action) -> Request:
    """The caller's own request, as values of ours: its address never decides where the key goes."""
    return {**_post(item.key, item), "response": {"output": "{{body}}"}}


def pick_list(item: PickList) -> Request:
    """The choices of a select."""
    return {
        "url": f"/{PLATFORM.key}/rpcs/{item.key}",
        "method": "GET",
        "response": {
            "iterate": "{{body}}",
            "output": {"label": "{{item.label}}", "value": "{{item.value}}"},
        },
    }


def rpc_id(item: PickList) -> str:
    """The pick list's name in the app: `endpoints` is `listEndpoints`."""
    return camel(f"list_{item.key}")


def _post(path: str, item: Action) -> Request:
    return {"url": f"/{PLATFORM.key}/{path}", "method": "POST", "body": mapped(item.input)}


def _sanitized(asked: type[Schema], answered: type[Schema]) -> dict[str, Any]:
    """What the log leaves out beside the key, where there is more."""
    more = [
        *(f"request.body.{key}" for key in secrets_of(asked)),
        *(f"response.body.{key}" for key in secrets_of(answered)),
    ]
    return {"log": {"sanitize": [*SANITIZED["sanitize"], *more]}} if more else {}


def _valid(item: Action) -> dict[str, str]:
    # An answer says how what was begun stands; or it repeats what was asked for, whatever else may
    # be unknown, an id included; or it is the connector's own, which has an id.
    told = ["state", *declared_fields(item.input), *(["id"] if item.free else [])]
    sure = [key for key in told if key in declared_fields(item.output)]
    if not sure:
        raise ValueError(f"{item.key}: no output key tells an answer from an empty one.")
    return {
        "condition": f"{{{{body.{sure[0]}}}}}",
        "type": "DataError",
        "message": f"The answer holds no {item.noun.lower()}.",
    }
