"""An app's folder, read through its manifest as Make's editor reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "makecomapp.json"


class UnknownToEmulator(Exception):
    """The app says something that this stand-in has not learned."""


TRIGGERS = ("trigger", "instant_trigger")


@dataclass(frozen=True)
class App:
    """The files by path, and what the manifest makes of them."""

    files: Mapping[str, str]

    @property
    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(self.files[MANIFEST])
        return manifest

    def general(self, code: str) -> Any:
        return json.loads(self.files[self.manifest["generalCodeFiles"][code]])

    def components(self, kind: str) -> dict[str, dict[str, Any]]:
        """The manifest's entries of a kind by id."""
        components: dict[str, dict[str, Any]] = self.manifest["components"][kind]
        return components

    def code(self, kind: str, component: str, code: str) -> Any:
        """The content of one code file of a component."""
        return json.loads(self.files[self.components(kind)[component]["codeFiles"][code]])

    def form(self, kind: str, component: str) -> list[dict[str, Any]]:
        """The parameters that a person fills in, in the order of the form."""
        code = "params"
        if kind == "module":
            # Make shows no other to whoever sets it up.
            watches = self.components(kind)[component]["moduleType"] in TRIGGERS
            code = "staticParams" if watches else "mappableParams"
        return list(self.code(kind, component, code))

    def requests(self, kind: str, component: str) -> dict[str, dict[str, Any]]:
        """The component's requests by the code that holds them; of an instant trigger there are none."""
        codes = ("attach", "detach") if kind == "webhook" else ("communication",)
        found = {code: self.code(kind, component, code) for code in codes}
        return {code: request for code, request in found.items() if request}

    def every_component(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Every entry of the manifest as (kind, id, entry)."""
        for kind, entries in self.manifest["components"].items():
            for component, entry in entries.items():
                yield kind, component, entry


def load(folder: Path) -> App:
    """The app in `folder`, with whatever files lie there."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return App({path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found})
