"""Tables of the README, kept between markers, from whatever declares their content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from schemas import fields
from schemas.catalog import CATALOG
from schemas.fields import declared_fields, label_of
from schemas.profile import ProfileRow
from schemas.video import Video

KINDS: Mapping[type, str] = {
    fields.Text: "text",
    fields.Identifier: "text",
    fields.Url: "address",
    fields.WholeNumber: "integer",
    fields.Number: "number",
    fields.Flag: "boolean",
    fields.Timestamp: "ISO 8601",
    fields.Items: "list",
}


def render_readme(text: str, tables: Mapping[str, str]) -> str:
    """`text` with the content between `<!-- name -->` and `<!-- /name -->` replaced by `tables[name]`.

    Raises KeyError for a marker without a table, ValueError for a table without its marker.
    """
    found: set[str] = set()

    def renew(match: re.Match[str]) -> str:
        found.add(match[1])
        return f"<!-- {match[1]} -->\n{tables[match[1]]}\n<!-- /{match[1]} -->"

    rendered = re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", renew, text, flags=re.S)
    if missing := set(tables) - found:
        raise ValueError(f"no marker for {', '.join(sorted(missing))}")
    return rendered


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def fields_table() -> str:
    """Every key of the row, in order."""
    return table(
        ("key", "label", "kind", "what it says"),
        (
            (f"`{key}`", label_of(f), KINDS[type(f)], f.metadata["description"])
            for key, f in declared_fields(ProfileRow).items()
        ),
    )


def video_keys() -> str:
    """The keys of a line item in `recent_videos`, as a sentence's list."""
    return ", ".join(f"`{key}`" for key in declared_fields(Video))


def catalog_table() -> str:
    """Actions and searches with their routes."""
    actions = ((f"`POST /{{platform}}/actions/{a.key}`", a.description) for a in CATALOG.actions)
    searches = (
        (f"`GET` or `POST /{{platform}}/searches/{s.key}`", s.description) for s in CATALOG.searches
    )
    return table(("route", "what it does"), [*actions, *searches])
