"""Every generated file, gathered from the places that declare its content."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from connector import bootstrap, config
from connector.exports.documents import (
    catalog_table,
    fields_table,
    keys_list,
    render_document,
    table,
)
from connector.web import errors
from schemas.catalog import CATALOG, Catalog
from schemas.video import Video

DOCUMENTS: Final = ("README.md",)


def document_tables(catalog: Catalog) -> dict[str, str]:
    """Each table of the documents by the name of its marker."""
    return {
        "catalog": catalog_table(catalog),
        "fields": fields_table(catalog.actions[0].output),
        "video-keys": keys_list(Video),
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
        "reserved-handles": table(
            ("handle", "what happens"),
            ((f"`{handle}`", what) for handle, what in bootstrap.reserved_handles()),
        ),
        "sample-handles": ", ".join(f"`{handle}`" for handle in bootstrap.sample_handles()),
    }


def _documents(root: Path, catalog: Catalog) -> dict[str, str]:
    tables = document_tables(catalog)
    return {name: render_document((root / name).read_text("utf-8"), tables) for name in DOCUMENTS}


def _openapi(_root: Path, catalog: Catalog) -> dict[str, str]:
    document = bootstrap.published_document(catalog, with_endpoint=True)
    return {"platforms/openapi.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n"}


_RENDERERS: Final[Mapping[str, Callable[[Path, Catalog], dict[str, str]]]] = {
    "documents": _documents,
    "openapi": _openapi,
}
KINDS: Final = tuple(_RENDERERS)


def generated_files(kind: str, root: Path, catalog: Catalog = CATALOG) -> dict[str, str]:
    """The text of every generated file of a kind, by its path below `root`."""
    return _RENDERERS[kind](root, catalog)
