"""What people's Zaps rely on: steps, inputs and sample keys of a definition that was published.

Codes are Zapier's own, from its integration check reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

KINDS: Final = ("triggers", "searches", "creates")


def steps_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every trigger, search and create as (where, step)."""
    for kind in KINDS:
        for key, step in definition.get(kind, {}).items():
            yield f"{kind}.{key}", step


def broken_promises(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What `old` offers and `new` doesn't, as (code, where, message)."""
    return list(_broken_promises(old, dict(steps_of(new))))


def _broken_promises(
    old: Mapping[str, Any], kept: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    for where, step in steps_of(old):
        if where not in kept or kept[where]["display"].get("hidden"):
            yield "C001", where, "is gone or hidden"
            continue
        for key in sorted(_inputs(step) - _inputs(kept[where])):
            yield "C002", where, f"has lost the input {key}"
        for key in sorted(_sample(step) - _sample(kept[where])):
            yield "C003", where, f"has lost the sample key {key}"


def _inputs(step: Mapping[str, Any]) -> set[str]:
    return {field["key"] for field in step["operation"].get("inputFields", ())}


def _sample(step: Mapping[str, Any]) -> set[str]:
    return set(step["operation"].get("sample", ()))
