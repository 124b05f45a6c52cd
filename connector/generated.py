"""Every generated file, gathered from the places that declare its content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from connector import __version__, bootstrap, config
from connector.domain.metrics import METRICS
from connector.domain.platforms import PLATFORMS
from connector.exports.documents import (
    catalog_table,
    fields_table,
    inputs_table,
    keys_list,
    mapping_table,
    platforms_table,
    render_document,
    steps_table,
    table,
)
from connector.exports.heroku import render_heroku
from connector.exports.make import make_label, render_make
from connector.exports.make_promises import lost_in
from connector.exports.zapier import render_zapier
from connector.exports.zapier_promises import broken_promises
from connector.web import errors
from schemas.catalog import CATALOG, Action, Catalog
from schemas.events import EventHead
from schemas.history import HistoryRow
from schemas.hooks import Hook
from schemas.jobs import BatchHead, Job
from schemas.titles import title_case
from schemas.video import Video
from schemas.webhooks import Webhook, WebhookInput

DOCUMENTS: Final = (
    "README.md",
    "docs/zapier.md",
    "docs/make.md",
    "docs/http.md",
    "docs/triggers.md",
    "docs/batches.md",
    "docs/webhooks.md",
    "docs/operating.md",
)
# Stands for the operator's own address, which nobody can know here.
EXAMPLE_BASE_URL: Final = "https://connector.example.com"


def document_tables(catalog: Catalog) -> dict[str, str]:
    """Each table of the documents by the name of its marker."""
    return {
        "answer": f"```json\n{json.dumps(bootstrap.sample_answer(), indent=2)}\n```",
        "platforms": platforms_table(PLATFORMS),
        "catalog": catalog_table(catalog),
        "inputs": inputs_table(catalog, name=lambda step: f"`{step.key}`"),
        "fields": fields_table(catalog.actions[0].output),
        "video-keys": keys_list(Video),
        "event-fields": fields_table(EventHead),
        "hook-fields": fields_table(Hook),
        "job-fields": fields_table(Job),
        "batch-fields": fields_table(BatchHead),
        "webhook-inputs": fields_table(WebhookInput),
        "webhook-fields": fields_table(Webhook),
        "history-fields": fields_table(HistoryRow),
        **_platform_tables(
            catalog, "zapier", case=title_case, name=lambda step: title_case(step.label)
        ),
        **_platform_tables(catalog, "make", case=str, name=make_label),
        "errors": table(
            ("status", "`error_code`", "`retryable`", "what to do"),
            (
                (status, f"`{code}`", str(retryable).lower(), advice)
                for status, code, retryable, advice in errors.documented()
            ),
        ),
        "settings": table(
            ("variable", "default", "what it is"),
            (
                (f"`{name}`", f"`{default}`" if default else "", text)
                for name, default, text in config.documented()
            ),
        ),
        "metrics": table(
            ("metric", "kind", "labels", "what it says"),
            (
                (f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels), m.help)
                for m in METRICS
            ),
        ),
        "reserved-handles": table(
            ("handle", "what happens"),
            ((f"`{handle}`", what) for handle, what in bootstrap.reserved_handles()),
        ),
        "sample-handles": ", ".join(f"`{handle}`" for handle in bootstrap.sample_handles()),
    }


def _platform_tables(
    catalog: Catalog,
    platform: str,
    *,
    case: Callable[[str], str],
    name: Callable[[Action], str],
) -> dict[str, str]:
    return {
        f"{platform}-steps": steps_table(catalog, name=name),
        f"{platform}-inputs": inputs_table(catalog, name=name, case=case),
        f"{platform}-event-fields": mapping_table(EventHead, case=case),
        f"{platform}-fields": mapping_table(catalog.actions[0].output, case=case),
    }


def _documents(root: Path, catalog: Catalog) -> dict[str, str]:
    tables = document_tables(catalog)
    files = {name: render_document((root / name).read_text("utf-8"), tables) for name in DOCUMENTS}
    return files | render_heroku({name: text for name, _, text in config.documented()})


def _zapier(_root: Path, catalog: Catalog) -> dict[str, str]:
    files = render_zapier(catalog, version=__version__)
    return {f"platforms/zapier/{name}": text for name, text in files.items()}


def _make(_root: Path, catalog: Catalog) -> dict[str, str]:
    statuses = {*errors.STATUSES.values(), *errors.REFUSALS}
    files = render_make(catalog, statuses, EXAMPLE_BASE_URL)
    return {f"platforms/make/{path}": text for path, text in files.items()}


def _openapi(_root: Path, catalog: Catalog) -> dict[str, str]:
    document = bootstrap.published_document(catalog, with_endpoint=True)
    return {"platforms/openapi.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"}


_RENDERERS: Final[Mapping[str, Callable[[Path, Catalog], dict[str, str]]]] = {
    "documents": _documents,
    "zapier": _zapier,
    "make": _make,
    "openapi": _openapi,
}
KINDS: Final = tuple(_RENDERERS)


def removals(path: Path, old: str | None, new: str) -> list[str]:
    """What people rely on that the file at `path` would lose, as sentences."""
    if old is None or path.suffix != ".json":
        return []
    if path.parts[-2:] == ("zapier", "definition.json"):
        lost = broken_promises(json.loads(old), json.loads(new))
        return [f"{code}: {where} {message}." for code, where, message in lost]
    return lost_in(path.name, json.loads(old), json.loads(new)) if "make" in path.parts else []


def generated_files(kind: str, root: Path, catalog: Catalog = CATALOG) -> dict[str, str]:
    """The text of every generated file of a kind, by its path below `root`."""
    return _RENDERERS[kind](root, catalog)
