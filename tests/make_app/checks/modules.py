"""What each type of module, and a webhook, must and must not have; where modules stand in the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.make_app.app import TRIGGERS, App
from tests.make_app.iml import paths

ONE_OBJECT = ("action", "universal")


def module_faults(app: App) -> list[str]:
    """The review's rules for modules."""
    types = {name: entry["moduleType"] for name, entry in app.components("module").items()}
    faults = [fault for name, kind in types.items() for fault in _faults_of(app, name, kind)]
    if list(types.values()).count("universal") > 1:
        faults.append("There is more than one universal module.")
    return faults


def _faults_of(app: App, name: str, kind: str) -> Iterator[str]:
    if kind not in (*TRIGGERS, *ONE_OBJECT, "search"):
        yield f"{name} has the unknown type {kind!r}."
    for code in ("interface", "samples"):
        if not app.code("module", name, code):
            yield f"{name} has no {code}."
    unseen = "mappableParams" if kind in TRIGGERS else "staticParams"
    if app.code("module", name, unseen):
        yield f"{name} has a form that Make does not show."
    request = app.code("module", name, "communication")
    response = request.get("response", {})
    if kind in ONE_OBJECT and ("iterate" in response or "pagination" in request):
        yield f"{name} answers one object but iterates or pages."
    if kind == "action" and "valid" not in response:
        yield f"{name} would pass on an empty answer."
    if kind in ("search", "trigger"):
        yield from _list_faults(app, name)
    if kind == "trigger":
        yield from _trigger_faults(app, name)
    if kind == "instant_trigger" and (request or not app.components("module")[name].get("webhook")):
        yield f"{name} has no webhook, or asks for something itself."


def webhook_faults(app: App) -> list[str]:
    """What is needed to be told, to be told all that was asked for, and to be left in peace again."""
    served = Counter(entry.get("webhook") for entry in app.components("module").values())
    faults = [
        f"The webhook {name} belongs to {served[name]} modules."
        for name in app.components("webhook")
        if served[name] != 1
    ]
    return faults + [
        f"{name} {f}" for name in app.components("webhook") for f in _hook_of(app, name)
    ]


def _hook_of(app: App, name: str) -> Iterator[str]:
    attach, detach = (app.code("webhook", name, code) for code in ("attach", "detach"))
    if app.code("webhook", name, "communication") != {"output": "{{body}}"}:
        yield "doesn't put out the event as it was sent."
    if attach["body"].get("target_url") != "{{webhook.url}}":
        yield "doesn't say where events are to be sent."
    sent = {path[-1] for value in attach["body"]["inputs"].values() for path in paths(value)}
    if lost := {entry["name"] for entry in app.form("webhook", name)} - sent:
        yield f"asks for {sorted(lost)} and doesn't send it."
    if "externalHookId" not in attach["response"]["data"]:
        yield "forgets what it subscribed to."
    if "response.body.secret" not in attach.get("log", {}).get("sanitize", []):
        yield "logs the signing secret."
    if detach["method"] != "DELETE" or "{{webhook.externalHookId}}" not in detach["url"]:
        yield "doesn't end its subscription."


def _trigger_faults(app: App, name: str) -> Iterator[str]:
    trigger = app.code("module", name, "communication")["response"].get("trigger", {})
    if trigger.get("order") != "desc":
        # Make stops after 3,200 items, so the newest have to come first.
        yield f"{name} doesn't tell the newest events first."
    if "id" not in trigger:
        yield f"{name} can't tell its events apart."
    if "epoch" not in app.components("module")[name]["codeFiles"]:
        yield f"{name} doesn't let a person choose where to start."
    elif "limit" not in app.code("module", name, "epoch")["response"]:
        yield f"{name} offers any number of events to start from."


def _list_faults(app: App, name: str) -> Iterator[str]:
    request = app.code("module", name, "communication")
    for directive in ("iterate", "limit"):
        if directive not in request["response"]:
            yield f"{name} has no {directive}."
    if "pagination" not in request:
        yield f"{name} shows the first page only."
    names = [entry["name"] for entry in app.form("module", name)]
    if names[-1:] != ["limit"]:
        yield f"{name}: the limit is not the last parameter."


def group_faults(app: App) -> list[str]:
    """Every module is in one group; triggers come first, the universal module last under Other."""
    groups = app.general("groups")
    modules = app.components("module")
    grouped = Counter(name for group in groups for name in group["modules"])
    extra = grouped - Counter(list(modules))
    faults = [f"The groups name {name} more often than it is there." for name in extra]
    faults += [f"{name} is in no group." for name in modules if name not in grouped]
    kinds = [
        [modules[name]["moduleType"] for name in group["modules"] if name in modules]
        for group in groups
    ]
    watching = [any(kind in TRIGGERS for kind in found) for found in kinds]
    if watching != sorted(watching, reverse=True):
        faults.append("Groups with triggers don't come first.")
    universal = ["universal" in found for found in kinds]
    if any(universal) and (not universal[-1] or groups[-1]["label"] != "Other"):
        faults.append("The universal module is not in a last group named Other.")
    return faults
