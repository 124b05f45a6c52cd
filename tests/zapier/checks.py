"""Zapier's published checks, as far as they can be judged offline. Codes and meaning are Zapier's.

Those on a definition alone are in `lint`; those on what a step really answered in `lint_live`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.exports.zapier_promises import steps_of
from tests.zapier.values import date_faults, lost_keys, type_faults

Definition = Mapping[str, Any]
Fault = tuple[str, str]

_LINK = re.compile(r"\[[^\][]+\]\(https?://[^\s()]+\)")
_BASE = "{{process.env.BASE_URL}}"
_SMALL = {"a", "an", "and", "as", "at", "by", "for", "in", "of", "on", "or", "the", "to", "with"}


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    code: str
    where: str
    message: str


def lint(definition: Definition, *, base_url: str) -> list[Finding]:
    """What Zapier would find in `definition` when its BASE_URL is `base_url`."""
    definition = _resolved(definition, base_url)
    return [
        Finding(code, where, message)
        for code, check in _CHECKS.items()
        for where, message in check(definition)
    ]


def lint_live(where: str, step: Mapping[str, Any], rows: list[dict[str, Any]]) -> list[Finding]:
    """What Zapier would find in `rows`, which the step at `where` really answered."""
    return [Finding(code, where, message) for code, message in _live_faults(where, step, rows)]


def lint_hook_payload(
    where: str, polled: Mapping[str, Any], payload: Mapping[str, Any]
) -> list[Finding]:
    """Whether a hook's `payload` has all that its `performList` showed."""
    missing = lost_keys(polled, payload)
    return [Finding("T006", where, f"{key} is polled but not delivered") for key in missing]


def _live_faults(
    where: str, step: Mapping[str, Any], rows: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    outputs = step["operation"].get("outputFields", [])
    if _is_polling(where, step):
        ids = [_primary(step, row) for row in rows]
        if None in ids or len(set(ids)) < len(ids):
            yield "T002", "results without an id of their own"
    for row in rows:
        yield from (("T003", message) for message in date_faults(row))
        lost = lost_keys(step["operation"]["sample"], row)
        yield from (("T004", f"the sample has {key}, the result hasn't") for key in lost)
        # Z001 is the same rule on samples that were pulled into the editor.
        code = "T005" if where.startswith("triggers.") else "Z001"
        yield from ((code, message) for message in type_faults(outputs, row))


def _resolved(value: Any, base_url: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _resolved(child, base_url) for name, child in value.items()}
    if isinstance(value, list):
        return [_resolved(child, base_url) for child in value]
    return value.replace(_BASE, base_url) if isinstance(value, str) else value


def _inputs(definition: Definition) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, step in steps_of(definition):
        for field in step["operation"].get("inputFields", ()):
            yield f"{where}.{field['key']}", field


def _triggers(definition: Definition, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, step in steps_of(definition):
        is_hook = step["operation"].get("type") == "hook"
        if where.startswith("triggers.") and is_hook is (kind == "hook"):
            yield where, step


def _is_polling(where: str, step: Mapping[str, Any]) -> bool:
    return where.startswith("triggers.") and step["operation"].get("type") != "hook"


def _primary(step: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
    keys = [f["key"] for f in step["operation"].get("outputFields", ()) if f.get("primary")]
    values = tuple(row.get(key) for key in keys or ["id"])
    return None if None in values or "" in values else values


def _no_key_in_actions(definition: Definition) -> Iterator[Fault]:
    for where, field in _inputs(definition):
        asks = re.search(r"api_?key|token|secret|password", field["key"], re.I)
        if asks or field.get("type") == "password":
            yield where, "asks for a key outside the connection"


def _auth_help_has_link(definition: Definition) -> Iterator[Fault]:
    for field in definition["authentication"].get("fields", ()):
        if not _LINK.search(field.get("helpText", "")):
            yield f"authentication.{field['key']}", "no link that says where to find it"


def _label_identifies(definition: Definition) -> Iterator[Fault]:
    authentication = definition["authentication"]
    names = re.findall(r"{{(?:bundle\.\w+\.)?(\w+)}}", authentication.get("connectionLabel", ""))
    secrets = {f["key"] for f in authentication.get("fields", ()) if f.get("type") == "password"}
    if not names or set(names) & secrets:
        yield "authentication", "the connection label names no account, or shows a secret"


def _hook_has_list(definition: Definition) -> Iterator[Fault]:
    for where, step in _triggers(definition, "hook"):
        if "performList" not in step["operation"]:
            yield where, "a hook without performList"


def _hook_is_not_static(definition: Definition) -> Iterator[Fault]:
    for where, step in _triggers(definition, "hook"):
        if not {"performSubscribe", "performUnsubscribe"} <= set(step["operation"]):
            yield where, "a hook without subscribe or unsubscribe"


def _urls_are_https(definition: Any, where: str = "") -> Iterator[Fault]:
    if isinstance(definition, Mapping):
        url = definition.get("url")
        if isinstance(url, str) and not url.startswith("https://"):
            yield where.lstrip("."), f"{url} is not https"
        for name, child in definition.items():
            # Samples and errors hold addresses of their own.
            if name not in ("sample", "source"):
                yield from _urls_are_https(child, f"{where}.{name}")


def _links_are_valid(definition: Definition) -> Iterator[Fault]:
    texts = [(where, step["display"]["description"]) for where, step in steps_of(definition)]
    fields = [*_inputs(definition)]
    fields += [("authentication", f) for f in definition["authentication"].get("fields", ())]
    texts += [(where, field.get("helpText", "")) for where, field in fields]
    for where, text in texts:
        rest = re.sub(r"`[^`]*`", "", _LINK.sub("", text))
        if re.search(r"https?://|\]\(|\[[^\]]*\(", rest):
            yield where, "a link that is neither Markdown nor in backticks"


def _search_has_field(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        if where.startswith("searches.") and not step["operation"].get("inputFields"):
            yield where, "a search without a field"


def _create_has_field(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        if where.startswith("creates.") and not step["operation"].get("inputFields"):
            yield where, "a create without static input fields"


def _polling_sample_has_id(definition: Definition) -> Iterator[Fault]:
    for where, step in _triggers(definition, "polling"):
        if _primary(step, step["operation"].get("sample", {})) is None:
            yield where, "the sample has no id"


def _help_adds_something(definition: Definition) -> Iterator[Fault]:
    for where, field in _inputs(definition):
        label, text = (re.sub(r"\W", "", field.get(n, "")).lower() for n in ("label", "helpText"))
        if text and text == label:
            yield where, "the help text repeats the label"


def _sample_is_there(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        if not step["operation"].get("sample"):
            yield where, "no sample"


def _labels_are_title_case(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        words = step["display"]["label"].split()
        inner = words[1:-1]
        if any(w[0].islower() and not (w in _SMALL and w in inner) for w in words):
            yield where, f"{step['display']['label']!r} is not in title case"


def _trigger_says_when(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        text = step["display"]["description"]
        is_trigger = where.startswith("triggers.")
        if is_trigger and not (text.startswith("Triggers when ") and text.endswith(".")):
            yield where, "must start with 'Triggers when ' and end with '.'"


def _sample_dates(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        for message in date_faults(step["operation"].get("sample", {})):
            yield where, message


def _sample_types(definition: Definition) -> Iterator[Fault]:
    for where, step in steps_of(definition):
        operation = step["operation"]
        for message in type_faults(operation.get("outputFields", []), operation.get("sample", {})):
            yield where, message


_CHECKS: Mapping[str, Callable[[Definition], Iterator[Fault]]] = {
    "D001": _no_key_in_actions,
    "D002": _auth_help_has_link,
    "D003": _label_identifies,
    "D006": _hook_has_list,
    "D007": _urls_are_https,
    "D008": _links_are_valid,
    "D009": _search_has_field,
    "D010": _polling_sample_has_id,
    "D011": _help_adds_something,
    "D012": _sample_is_there,
    "D017": _hook_is_not_static,
    "D018": _labels_are_title_case,
    "D021": _trigger_says_when,
    "D022": _create_has_field,
    "D023": _sample_dates,
    "D024": _sample_types,
}
