"""Whether everything that is named exists, and everything that exists is named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.make_app.app import MANIFEST, App

ID_PATTERNS = {
    "module": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "rpc": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "connection": r"[a-zA-Z][0-9a-zA-Z-]{2,34}",
    "webhook": r"[a-zA-Z][0-9a-zA-Z-]{2,34}",
}


def file_faults(app: App) -> list[str]:
    """The manifest and the folder hold the same files."""
    listed = {path for path in app.manifest["generalCodeFiles"].values() if path}
    for _, _, entry in app.every_component():
        listed |= {path for path in entry["codeFiles"].values() if path}
    found = set(app.files) - {MANIFEST}
    return [f"{path} is listed but missing." for path in sorted(listed - found)] + [
        f"{path} is in no manifest entry." for path in sorted(found - listed)
    ]


def reference_faults(app: App) -> list[str]:
    """Connections, webhooks and pick lists that are named are there."""
    return [*_manifest_references(app), *_rpc_references(app)]


def _manifest_references(app: App) -> Iterator[str]:
    for kind, name, entry in app.every_component():
        for target in ("connection", "webhook"):
            if target in entry and entry[target] not in app.components(target):
                yield f"{kind} {name} names the {target} {entry[target]!r}, which is not there."
        if kind != "connection" and app.requests(kind, name) and "connection" not in entry:
            yield f"{kind} {name} has no connection, and the base sends its key."


def _rpc_references(app: App) -> Iterator[str]:
    for path, text in app.files.items():
        if path.endswith(".json"):
            for name in _rpcs_in(json.loads(text)):
                if name not in app.components("rpc"):
                    yield f"{path} names rpc://{name}, which is not there."


def _rpcs_in(content: Any) -> Iterator[str]:
    if isinstance(content, str) and content.startswith("rpc://"):
        yield content.removeprefix("rpc://")
    elif isinstance(content, (dict, list)):
        for value in content.values() if isinstance(content, dict) else content:
            yield from _rpcs_in(value)


def id_faults(app: App) -> list[str]:
    """Make refuses an id that is too short, too long or holds anything else."""
    return [
        f"{kind} {name}: the id doesn't fit {ID_PATTERNS[kind]}."
        for kind, name, _ in app.every_component()
        if not re.fullmatch(ID_PATTERNS[kind], name)
    ]
