"""What a person reads: the review's rules for labels, hints and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.make_app.app import App

# Abbreviations and names keep their capitals.
CAPITALS = {"ID", "URL", "API", "FTC", "TikTok", "Shop", "Unix"}
# Services that the app has to do with and doesn't belong to.
THIRD_PARTIES = ("tiktok", "bytedance", "dumpling", "zapier")
OPENINGS = {
    "trigger": "Triggers when ",
    "instant_trigger": "Triggers when ",
    "read": "Returns ",
    "create": "Creates ",
    "delete": "Deletes ",
    "search": "Returns ",
    "universal": "Returns ",
}


def wording_faults(app: App) -> list[str]:
    """Faults of every label, hint and description."""
    return [*_title_faults(app), *_form_faults(app), *_interface_faults(app)]


def name_faults(app: App) -> list[str]:
    """The app, its modules and what else it names carry no other company's name."""
    names = [
        text for _, name, entry in app.every_component() for text in (name, entry.get("label", ""))
    ]
    names += [group["label"] for group in app.general("groups")]
    return [
        f"{name!r} carries the name of another service."
        for name in names
        if any(other in name.lower() for other in THIRD_PARTIES)
    ]


def _title_faults(app: App) -> Iterator[str]:
    for kind, name, entry in app.every_component():
        if not _is_sentence_case(entry.get("label", "")):
            yield f"{kind} {name}: the label {entry.get('label')!r} is not in sentence case."
    for group in app.general("groups"):
        if not _is_sentence_case(group["label"]):
            yield f"The group {group['label']!r} is not in sentence case."
    for name, entry in app.components("module").items():
        opening = OPENINGS.get(entry.get("actionCrud", entry["moduleType"]), "Returns ")
        if not entry["description"].startswith(opening) or not entry["description"].endswith("."):
            yield f"{name}: the description isn't a sentence that starts with {opening!r}."


def _form_faults(app: App) -> Iterator[str]:
    for kind, name, _ in app.every_component():
        for entry in app.form(kind, name):
            label = entry.get("label", "")
            if not _is_sentence_case(label) or not re.fullmatch(r"\w+( \w+){0,2}", label):
                yield f"{kind} {name}: the label {label!r} is not one to three plain words."
            if not entry.get("help", "").endswith("."):
                yield f"{kind} {name}: the hint of {label!r} doesn't end with a full stop."


def _interface_faults(app: App) -> Iterator[str]:
    for name in app.components("module"):
        for label in _labels(app.code("module", name, "interface")):
            if not _is_sentence_case(label):
                yield f"{name}: the output label {label!r} is not in sentence case."


def _labels(interface: Any) -> Iterator[str]:
    for entry in interface if isinstance(interface, list) else []:
        yield entry.get("label", "")
        yield from _labels(entry.get("spec"))


def _is_sentence_case(label: str) -> bool:
    """A capital at the start and after a colon; elsewhere only those of abbreviations and names."""
    return all(
        part[:1].isupper()
        and all(not word[0].isupper() or word in CAPITALS for word in re.findall(r"\w+", part)[1:])
        for part in label.split(": ")
    )
