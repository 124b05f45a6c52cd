"""What the documents point at is there: files, headings, modules and what these hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# The changelog tells of what was; what others wrote, and what is generated for them, is their own.
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    ROOT / "benchmarks" / "RESULTS.md",
    ROOT / "platforms" / "make" / "README.md",
]
ABOUT_THE_HOUSE = [page for page in PAGES if page.parent in (ROOT, DOCS)]
PACKAGES = ("connector", "schemas", "profile_api", "wire", "tests", "benchmarks")
# Guides name files as whoever stands in one of these sees them.
FOLDERS = (ROOT, ROOT / "platforms", ROOT / "platforms" / "make")
# Made when it runs, or on somebody's own machine.
MADE_LATER = re.compile(r"(\.venv|var|build|node_modules)/.*|data\.user\.name|.*\.key")
_FENCED = re.compile(r"^```.*?^```", re.S | re.M)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(
    r"(?!/)[\w./-]+\.(?:py|md|toml|txt|json|yaml|js|css|html|ini)|(?!/)[\w.-]+(?:/[\w.-]+)*/"
)


def prose(page: Path) -> str:
    return _FENCED.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """What a link may say after the #, as GitHub makes it of headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.M):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        number = 1
        while anchor in found:
            anchor, number = f"{anchor.rstrip('-0123456789')}-{number}", number + 1
        found.add(anchor)
    return found


def dead_links(page: Path) -> Iterator[str]:
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def lost_names(text: str, folder: Path) -> Iterator[str]:
    for code in _CODE.findall(text):
        if _FILE.fullmatch(code) and not MADE_LATER.fullmatch(code):
            if not any((place / code).exists() for place in (folder, *FOLDERS)):
                yield code
        elif re.fullmatch(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+", code) and not _is_there(code):
            yield code


def _is_there(dotted: str) -> bool:
    """Whether it is a module, or something that is defined in one."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file() or place.is_dir():
            text = file.read_text("utf-8") if file.is_file() else ""
            return all(
                re.search(rf"^\s*(?:def |class )?{name}\b", text, re.M) for name in parts[end:]
            )
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


@pytest.mark.parametrize("page", ABOUT_THE_HOUSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_named_exists(page: Path) -> None:
    """A file that moved, or a class with another name, is not found by who reads about it."""
    assert list(lost_names(prose(page), page.parent)) == []


def test_every_document_is_in_the_index() -> None:
    links = _LINK.findall((DOCS / "README.md").read_text("utf-8"))
    missing = {page.name for page in DOCS.glob("*.md")} - {"README.md", *links}
    assert missing == set()


def test_what_is_lost_is_found(tmp_path: Path) -> None:
    """The check itself: of each kind one that is there, and one that is not."""
    page = tmp_path / "page.md"
    page.write_text("# One heading\n[a](#one-heading) [b](#other) [c](page.md) [d](gone.md)\n")
    assert list(dead_links(page)) == ["#other", "gone.md"]
    names = """
    `app.py` `gone.py` `wire/` `wires/` `wire.together.Together.write` `wire.together.Apart`
    `connector.domain` `connector.nowhere` `make run` `/openapi.json` `var/connector.db.key`
    """
    assert list(lost_names(names, ROOT)) == [
        *("gone.py", "wires/", "wire.together.Apart", "connector.nowhere")
    ]
