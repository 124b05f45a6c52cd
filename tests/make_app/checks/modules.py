"""What each type of module must and must not have, and where modules stand in the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.make_app.app import TRIGGERS, App

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
