"""What people's scenarios rely on: modules, inputs and fields of an app that was deployed.

Make stores ids and names with a scenario, and neither moves them to other ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

MANIFEST: Final = "makecomapp.json"
_LISTS: Final = ("params.iml.json", "interface.iml.json")
# Which of these a component has decides what its scenarios do.
_NATURE: Final = ("moduleType", "webhook", "webhookType", "connectionType")


def lost_in(name: str, old: Any, new: Any) -> list[str]:
    """What the file `name` offered as `old` and doesn't as `new`, as sentences."""
    if name == MANIFEST:
        return list(_lost_components(old["components"], new["components"]))
    if not name.endswith(_LISTS):
        return []
    kept = set(_names(new))
    return [f"{name} has lost {entry}." for entry in _names(old) if entry not in kept]


def _lost_components(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for kind, entries in old.items():
        for component, entry in entries.items():
            kept = new[kind].get(component)
            if kept is None:
                yield f"The {kind} {component} is gone."
            elif any(entry.get(what) != kept.get(what) for what in _NATURE):
                yield f"The {kind} {component} is of another kind."


def _names(entries: Iterable[Mapping[str, Any]], before: str = "") -> Iterator[str]:
    """Names of a form or an interface, and of the line items in it."""
    for entry in entries:
        yield f"{before}{entry['name']}"
        if isinstance(entry.get("spec"), list):
            yield from _names(entry["spec"], f"{before}{entry['name']}[]")
