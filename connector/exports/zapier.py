"""The Zapier integration, rendered from the catalog: a package that Zapier's own tool pushes as it is.

Everything in it is data but a few functions: one turns error answers into Zapier's errors, one hands on
what was delivered, and one makes a Zap wait for what takes long.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import marshmallow

from schemas import fields
from schemas.catalog import Action, Batch, Catalog, Connection, Trigger
from schemas.fields import (
    choices_of,
    declared_fields,
    help_of,
    label_of,
    line_items,
)
from schemas.titles import title_case

Field: TypeAlias = marshmallow.fields.Field[Any]

CORE_VERSION: Final = "19.1.0"
_BASE_URL: Final = "{{process.env.BASE_URL}}/zapier"
_KINDS: Final[Mapping[type, Mapping[str, object]]] = {
    fields.Text: {"type": "string"},
    fields.Identifier: {"type": "string"},
    fields.Url: {"type": "string"},
    fields.Secret: {"type": "password"},
    fields.WholeNumber: {"type": "integer"},
    fields.Number: {"type": "number"},
    fields.Flag: {"type": "boolean"},
    fields.Timestamp: {"type": "datetime"},
}


# 429 comes here too (a flag says so), since Zapier's own error for it gives no reason.
# What subscribing answers is kept with the Zap, where only the id has a use.
_ANSWERED: Final = """\
if (response.status < 400) {
  if (bundle.targetUrl && response.data) {
    delete response.data.secret;
  }
  return response;
}
const body = response.data && typeof response.data === 'object' ? response.data : {};
const reason = body.error || `The connector answered with status ${response.status}`;
const error = reason.replace(/[^.!?]$/, '$&.');
const message = [error, body.advice].filter(Boolean).join(' ');
if (response.status === 401) {
  throw new z.errors.ExpiredAuthError(`${error} Reconnect the account with an active API key.`);
}
if (response.status === 429) {
  throw new z.errors.ThrottledError(error, Number(response.getHeader('retry-after')) || 60);
}
if (body.error_code === 'profile_not_found') {
  throw new z.errors.HaltedError(message);
}
throw new z.errors.Error(message, body.error_code, response.status);
"""

# The Zap waits for the callback, but in the editor, where nobody is called back.
_BEGIN: Final = """\
const body = {};
for (const key of %(keys)s) {
  body[key] = bundle.inputData[key];
}
const isDry = ['true', 't', '1', 'yes', 'y', 'on'].includes(String(body.dry_run).toLowerCase());
if (!body.%(callback)s && !isDry && !bundle.meta.isLoadingSample) {
  body.%(callback)s = z.generateCallbackUrl();
}
return z.request({
  method: 'POST',
  url: `${process.env.BASE_URL}/zapier/actions/%(action)s`,
  body,
}).then((response) => {
  // Signs a callback that goes to Zapier, where it has no use.
  response.data.secret = null;
  return response.data;
});
"""

_INDEX: Final = """\
// Generated from the catalog, like definition.json. Zapier loads it.
module.exports = {
  version: require('./package.json').version,
  platformVersion: require('zapier-platform-core').version,
  ...require('./definition.json'),
};
"""


def render_zapier(catalog: Catalog, *, version: str) -> dict[str, str]:
    """The package's files by name."""
    return {
        "package.json": _json(_package(catalog, version)),
        "index.js": _INDEX,
        "definition.json": _json(zapier_definition(catalog)),
    }


def zapier_definition(catalog: Catalog) -> dict[str, Any]:
    """The integration without its versions: connection, actions, searches."""
    (credential,) = declared_fields(catalog.connection.input)
    return {
        "authentication": _authentication(catalog.connection),
        "requestTemplate": {
            "headers": {"Authorization": f"Bearer {{{{bundle.authData.{credential}}}}}"}
        },
        "afterResponse": [{"source": _ANSWERED, "args": ["response", "z", "bundle"]}],
        "flags": {"throwForThrottlingEarly": False},
        "triggers": {
            step["key"]: step for t in catalog.triggers for step in (_trigger(t), _hook(t))
        },
        "creates": {
            a.key: _batch(a) if isinstance(a, Batch) else _step(a, f"/actions/{a.key}")
            for a in catalog.actions
        },
        "searches": {s.key: _step(s, f"/searches/{s.key}") for s in catalog.searches},
    }


def _package(catalog: Catalog, version: str) -> dict[str, Any]:
    return {
        "name": catalog.product.key,
        "version": version,
        "description": catalog.product.description,
        "private": True,
        "main": "index.js",
        "dependencies": {"zapier-platform-core": CORE_VERSION},
    }


def _authentication(connection: Connection) -> dict[str, Any]:
    link = f"[{connection.help_label}]({connection.help_url})"
    return {
        "type": "custom",
        "fields": [
            {**_input_field(key, declared), "helpText": f"{help_of(declared)} {link}."}
            for key, declared in declared_fields(connection.input).items()
        ],
        "test": {"method": "GET", "url": f"{_BASE_URL}/me"},
        # Zapier writes the integration's own name in front of it.
        "connectionLabel": "{{id}}",
    }


def _trigger(trigger: Trigger) -> dict[str, Any]:
    # What Zapier polls for; a flag that it doesn't send arrives empty, and counts as absent.
    flags = ("isLoadingSample", "isPopulatingDedupe")
    perform = {
        "method": "GET",
        "url": f"{_BASE_URL}/triggers/{trigger.key}",
        "params": _given(trigger) | {flag: f"{{{{bundle.meta.{flag}}}}}" for flag in flags},
    }
    return _described(trigger, perform)


def _hook(trigger: Trigger) -> dict[str, Any]:
    hooks = f"{_BASE_URL}/hooks"
    hook = _described(trigger.instant, {"source": "return [bundle.cleanedRequest];"})
    polled = _trigger(trigger)["operation"]["perform"]
    # Inputs stand beside the rest: of those that are empty, Zapier clears the outermost only.
    body = {"trigger": trigger.key, "target_url": "{{bundle.targetUrl}}", **_given(trigger)}
    hook["operation"] |= {
        "type": "hook",
        "performSubscribe": {"method": "POST", "url": hooks, "body": body},
        "performUnsubscribe": {
            "method": "DELETE",
            "url": f"{hooks}/{{{{bundle.subscribeData.id}}}}",
        },
        # Asked for only to show what an event looks like.
        "performList": {**polled, "params": {**polled["params"], "isLoadingSample": "true"}},
    }
    return hook


def _step(action: Action, path: str) -> dict[str, Any]:
    perform = {"method": "POST", "url": f"{_BASE_URL}{path}", "body": _given(action)}
    return _described(action, perform)


def _batch(batch: Batch) -> dict[str, Any]:
    begin = _BEGIN % {
        "keys": json.dumps([*declared_fields(batch.input)]),
        "callback": batch.callback_input,
        "action": batch.key,
    }
    step = _described(batch, {"source": begin, "args": ["z", "bundle"]})
    step["operation"]["performResume"] = {"source": "return bundle.cleanedRequest;"}
    return step


def _given(action: Action) -> dict[str, str]:
    return {key: f"{{{{bundle.inputData.{key}}}}}" for key in declared_fields(action.input)}


def _described(action: Action, perform: Mapping[str, Any]) -> dict[str, Any]:
    inputs = declared_fields(action.input)
    return {
        "key": action.key,
        "noun": title_case(action.noun),
        "display": {"label": title_case(action.label), "description": action.description},
        "operation": {
            "inputFields": [_input_field(key, declared) for key, declared in inputs.items()],
            "perform": perform,
            "outputFields": [
                described
                for key, declared in declared_fields(action.output).items()
                for described in _output_fields(key, declared)
            ],
            "sample": action.sample,
        },
    }


def _input_field(key: str, declared: Field) -> dict[str, Any]:
    described = {
        "key": key,
        "label": title_case(label_of(declared)),
        **_input_kind(declared),
        "required": declared.required,
        "helpText": help_of(declared),
    }
    if choices := choices_of(declared):
        described["choices"] = dict(choices)
    else:
        sample = declared.metadata["example"]
        described["placeholder"] = str(sample[0] if isinstance(sample, list) else sample)
    if isinstance(declared.load_default, bool):
        described["default"] = str(declared.load_default).lower()
    elif isinstance(declared.load_default, (str, int)):
        described["default"] = str(declared.load_default)
    return described


def _input_kind(declared: Field) -> Mapping[str, object]:
    if isinstance(declared, fields.Words):
        return {**_KINDS[declared.of], "list": True}
    return _KINDS[type(declared)]


def _output_fields(key: str, declared: Field) -> Iterator[dict[str, Any]]:
    """One field, or one for each key of its line items."""
    label = title_case(label_of(declared))
    if items := line_items(declared):
        for child, described in declared_fields(items).items():
            for field in _output_fields(f"{key}[]{child}", described):
                yield {**field, "label": f"{label}: {field['label']}"}
        return
    kind: Mapping[str, object]
    if isinstance(declared, fields.Items):
        # Of a list of whatever came, no type can be promised.
        kind = {**_KINDS[declared.of], "list": True} if declared.of in _KINDS else {}
    else:
        kind = _KINDS[type(declared)]
    yield {"key": key, "label": label, **kind}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
