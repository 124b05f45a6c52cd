"""The app for Make in its local-development layout: every file, from the catalog. Writes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from connector.exports import make_requests
from connector.exports.make_fields import Spec, camel, interface, parameters, sample
from connector.exports.make_readme import render_readme
from schemas.catalog import Action, Catalog, Trigger
from schemas.universal import ENDPOINTS

# Its key, `request`, says nothing in a scenario's list; ids are permanent, so not from the label.
UNIVERSAL_ID: Final = "makeApiCall"
_BASE: Final = "general/base.iml.json"
_GROUPS: Final = "modules/groups.json"
_README: Final = "README.md"
_LIMIT: Final[Spec] = {
    "name": "limit",
    "label": "Limit",
    "help": "The most results to return. When it is empty, all of them are returned.",
    "type": "uinteger",
    "default": 10,
}


@dataclass(frozen=True)
class Component:
    """One entry of the manifest. `codes` are the contents of its files, by the manifest's word."""

    kind: str
    id: str
    about: Mapping[str, Any]
    codes: Mapping[str, Any]

    def path(self, code: str) -> str:
        """Where the file of `code` lies: `staticParams` of `x` in `x.static-params.iml.json`."""
        kebab = re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", code)
        return f"{self.kind}s/{self.id}/{self.id}.{kebab}.iml.json"


def render_make(catalog: Catalog, statuses: Iterable[int], base_url: str) -> dict[str, str]:
    """Every file of the app by its path, for a connector at `base_url` that answers `statuses`."""
    error = make_requests.errors(statuses)
    components = [
        _connection(catalog, base_url, error),
        *_modules(catalog),
        *map(partial(_webhook, catalog), catalog.triggers),
        *_pick_lists(catalog),
    ]
    contents: dict[str, Any] = {
        "makecomapp.json": _manifest(components),
        _BASE: make_requests.base(base_url, error),
        _GROUPS: _groups(catalog),
    }
    for component in components:
        contents |= {component.path(code): content for code, content in component.codes.items()}
    files = {path: _json(content) for path, content in contents.items()}
    holding = [path for path, text in files.items() if base_url in text]
    readme = render_readme(
        catalog, base_url, holding=holding, error=error, universal_id=UNIVERSAL_ID
    )
    return {**files, _README: readme}


def _connection(catalog: Catalog, base_url: str, error: Mapping[str, Any]) -> Component:
    form = parameters(catalog.connection.input)
    where = f"[{catalog.connection.help_label}]({catalog.connection.help_url})."
    form[0]["help"] = f"{form[0]['help']} {where}"
    return Component(
        "connection",
        catalog.product.key,
        {"label": catalog.product.name, "connectionType": "basic"},
        {"communication": make_requests.connection_test(base_url, error), "params": form},
    )


def make_label(item: Action) -> str:
    """What a module is called in Make."""
    return item.watch_label if isinstance(item, Trigger) else item.label


def _modules(catalog: Catalog) -> Iterator[Component]:
    for told in catalog.triggers:
        form = [*parameters(told.input), _LIMIT]
        module = _module(catalog, told, "trigger", make_requests.trigger(told), form)
        yield replace(module, codes={**module.codes, "epoch": make_requests.epoch()})
        yield _instant(catalog, told)
    for item in catalog.actions:
        yield _module(catalog, item, "action", make_requests.action(item), parameters(item.input))
    for found in catalog.searches:
        # Make goes from page to page by itself.
        asked = [spec for spec in parameters(found.input) if spec["name"] != make_requests.CURSOR]
        form = [*asked, _LIMIT]
        yield _module(catalog, found, "search", make_requests.search(found), form)
    call = catalog.universal
    yield _module(catalog, call, "universal", make_requests.universal(call), _call_form(catalog))


def _module(
    catalog: Catalog,
    item: Action,
    kind: str,
    communication: make_requests.Request,
    form: list[Spec],
) -> Component:
    about = {
        "label": make_label(item),
        "description": item.description,
        "moduleType": kind,
        **({"actionCrud": item.effect} if kind == "action" else {}),
        "connection": catalog.product.key,
    }
    codes = {
        "communication": communication,
        # A trigger starts the scenario, so there is nothing yet to map into its form.
        "staticParams": form if kind == "trigger" else [],
        "mappableParams": [] if kind == "trigger" else form,
        "interface": interface(item.output),
        "samples": sample(item, request_source=make_requests.PLATFORM.request_source),
    }
    name = UNIVERSAL_ID if kind == "universal" else camel(item.key)
    return Component("module", name, about, codes)


def _instant(catalog: Catalog, told: Trigger) -> Component:
    """The module of a webhook, which has the connection and asks for everything itself."""
    module = _module(catalog, told.instant, "instant_trigger", {}, [])
    about = {key: value for key, value in module.about.items() if key != "connection"}
    return replace(module, about={**about, "webhook": camel(told.key)})


def _webhook(catalog: Catalog, told: Trigger) -> Component:
    """One for each trigger, since Make hands only a webhook's own form to what attaches it."""
    return Component(
        "webhook",
        camel(told.key),
        {
            "label": told.watch_label,
            "webhookType": "web",
            "connection": catalog.product.key,
        },
        {
            "communication": make_requests.delivered(),
            "params": parameters(told.input),
            "attach": make_requests.attach(told),
            "detach": make_requests.detach(),
        },
    )


def _call_form(catalog: Catalog) -> list[Spec]:
    """The universal module's form: paths and methods can be chosen, a path can also be typed."""
    endpoints = next(item for item in catalog.pick_lists if item.key == "endpoints")
    methods = sorted({method for method, _, _ in ENDPOINTS})
    chosen: dict[str, Spec] = {
        "url": {
            "type": "select",
            "options": f"rpc://{make_requests.rpc_id(endpoints)}",
            "editable": True,
            "mode": "edit",
        },
        "method": {
            "type": "select",
            "options": [{"label": method, "value": method} for method in methods],
        },
    }
    return [
        {**entry, **chosen.get(entry["name"], {})} for entry in parameters(catalog.universal.input)
    ]


def _pick_lists(catalog: Catalog) -> Iterator[Component]:
    for item in catalog.pick_lists:
        yield Component(
            "rpc",
            make_requests.rpc_id(item),
            {"label": item.label, "connection": catalog.product.key},
            {"communication": make_requests.pick_list(item), "params": []},
        )


def _groups(catalog: Catalog) -> list[dict[str, Any]]:
    groups = {"Triggers": [camel(trigger.key) for trigger in catalog.polled_and_instant]}
    for item in catalog:
        groups.setdefault(f"{item.noun}s", []).append(camel(item.key))
    groups["Other"] = [UNIVERSAL_ID]
    return [{"label": label, "modules": modules} for label, modules in groups.items()]


def _manifest(components: Iterable[Component]) -> dict[str, Any]:
    kinds = ("connection", "webhook", "module", "rpc", "function", "endpoint")
    entries: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    for component in components:
        entries[component.kind][component.id] = {
            **component.about,
            "codeFiles": {code: component.path(code) for code in component.codes},
        }
    return {
        "fileVersion": 1,
        "generalCodeFiles": {"base": _BASE, "common": None, "readme": _README, "groups": _GROUPS},
        "components": entries,
        "origins": [],
    }


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
