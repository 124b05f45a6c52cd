"""How pages show values: moments, numbers, addresses, rows. Everything is text, whatever it holds."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape
from marshmallow import Schema

from connector.domain.masking import masked_address
from schemas.fields import declared_fields, help_of, label_of
from schemas.titles import title_case

_MINUTE: Final = 16


@dataclass(frozen=True)
class Cell:
    """One key of a row as a person sees it. `value` is null, a text, or a list of rows."""

    key: str
    label: str
    help: str
    value: Any

    @property
    def zapier_label(self) -> str:
        """As Zapier's editor names it."""
        return title_case(self.label)

    @property
    def make_mapping(self) -> str:
        """As a scenario maps it, from its first module."""
        return (
            "{{1." + self.key + "[]}}" if isinstance(self.value, list) else "{{1." + self.key + "}}"
        )


def cells(row: Mapping[str, Any], schema: type[Schema]) -> Iterator[Cell]:
    """The row's keys in their order, with what the schema says of them."""
    declared = declared_fields(schema)
    for key, value in row.items():
        kind = declared.get(key)
        label, about = (label_of(kind), help_of(kind)) if kind else (key, "")
        yield Cell(key, label, about, _value(value))


def _value(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return [{key: _value(inner) for key, inner in item.items()} for item in value]
    return json.dumps(value, ensure_ascii=False)


def pretty(value: Any) -> str:
    """JSON to be read."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def moment(value: str | float | None) -> Markup:
    """A time, in ISO 8601 or Unix seconds, that the page's script puts into the viewer's zone.

    Without scripts it stays in UTC.
    """
    if value is None:
        return Markup('<span class="none">never</span>')
    when = (
        datetime.fromisoformat(value)
        if isinstance(value, str)
        else datetime.fromtimestamp(value, UTC)
    )
    exact = when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    shown = f"{exact[:_MINUTE].replace('T', ' ')} UTC"
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(exact, shown)


def number(value: Any) -> str:
    """A count with a comma between its thousands."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def link(value: str) -> Markup:
    """An address as a link where it leads to the web, else as text: no `javascript:` is ever one."""
    if not value.startswith(("https://", "http://")):
        return escape(value)
    return Markup(
        '<a href="{0}" rel="noopener noreferrer nofollow" target="_blank">{0}</a>'
    ).format(value)


def curl_line(address: str, body: Mapping[str, Any]) -> str:
    """What does the same from a terminal, whatever the body holds."""
    return (
        f"curl -sS {shlex.quote(address)} \\\n  -H 'Authorization: Bearer YOUR_KEY' \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(json.dumps(body))}"
    )


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "link": link,
    "masked_address": masked_address,
    "moment": moment,
    "number": number,
    "pretty": pretty,
}
