"""Finding the handle in what a stranger sent, whatever its form. Bounded in depth, size and time.

What is sent is a JSON value: an object of a form or a query, a text, or whatever somebody's own
program made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from connector.domain.errors import InvalidHandle, InvalidInput
from connector.domain.handles import normalise_handle

# The better ones first.
NAMES: Final = ("handle", "username", "user", "profile", "url", "text")
MAX_NODES: Final = 10_000
MAX_LEVELS: Final = 32
MAX_CHARACTERS: Final = 10_000
# The longest address of a profile that somebody may paste, with its whole query.
_MAX_HANDLE: Final = 4096
_INDEX: Final = re.compile(r"\d{1,6}", re.ASCII)
# What stands around a handle in a sentence, or around an address in Slack's.
_AROUND: Final = "<>()[]{}\"'“”,;:!?.*"


def handle_in(sent: Sequence[Any], path: str | None) -> str:
    """The first handle in `sent`, in normal form: at the dotted `path` or, without one, by the usual names.

    The shallowest counts, and of these the one with the best name; in a text, the whole of it or its
    first word that is @name or the address of a profile. Raises `InvalidInput`.
    """
    refused: InvalidHandle | None = None
    for candidate in _candidates(sent, path):
        try:
            return _handle(candidate)
        except InvalidHandle as exc:
            refused = refused or exc
    raise refused or InvalidInput(_looked_for(path))


def callback_url_in(sent: Sequence[Any]) -> str | None:
    """The address that a request names for its answer, beside all else."""
    found = (value.get("callback_url") for value in sent if isinstance(value, Mapping))
    return next((url for url in found if url and isinstance(url, str)), None)


def _candidates(sent: Sequence[Any], path: str | None) -> Iterator[str]:
    for value in sent:
        found = [_at(value, path)] if path else _named(value)
        yield from filter(None, map(_text, found))


def _text(value: Any) -> str:
    """What may be a handle; empty where nothing is."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = value if isinstance(value, str) else f"{value:d}" if abs(value) < 10**20 else ""
    return text[:MAX_CHARACTERS].strip()


def _handle(text: str) -> str:
    try:
        return normalise_handle(text[:_MAX_HANDLE])
    except InvalidHandle:
        for word in text.split():
            if (name := _handle_of_word(word)) is not None:
                return name
        raise


def _handle_of_word(word: str) -> str | None:
    # Slack writes <https://address|what is shown>.
    word = word.strip(_AROUND).partition("|")[0]
    if not word.startswith("@") and "tiktok.com/@" not in word.lower():
        return None
    try:
        return normalise_handle(word)
    except InvalidHandle:
        return None


def _at(value: Any, path: str) -> Any:
    """What stands at `path`; null where nothing does. A name may hold dots itself, as forms' do."""
    rest = path
    while rest:
        if isinstance(value, Mapping) and rest in value:
            return value[rest]
        step, _, rest = rest.partition(".")
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and _INDEX.fullmatch(step):
            value = next(islice(value, int(step), None), None)
        else:
            return None
    return value


def _named(value: Any) -> Iterator[Any]:
    """The values under the usual names, level by level; or else the text that was sent."""
    if isinstance(value, str):
        yield value
    if not isinstance(value, (Mapping, list)):
        return
    level, left = [value], MAX_NODES
    for _ in range(MAX_LEVELS):
        yield from _under_names(level)
        level = list(islice(_children(level), left))
        left -= len(level)
        if not level:
            return


def _under_names(level: Sequence[Any]) -> Iterator[Any]:
    by_name: dict[str, list[Any]] = {name: [] for name in NAMES}
    for node in level:
        if isinstance(node, Mapping):
            for key, value in islice(node.items(), MAX_NODES):
                by_name.get(key.strip().lower(), []).append(value)
    for values in by_name.values():
        yield from values


def _children(level: Sequence[Any]) -> Iterator[Any]:
    """What can hold more; texts and numbers don't."""
    for node in level:
        for child in node.values() if isinstance(node, Mapping) else node:
            if isinstance(child, (Mapping, list)):
                yield child


def _looked_for(path: str | None) -> str:
    if path:
        return f"No handle was found at {path}."
    return f"No handle was found: send one as {', '.join(NAMES[:-1])} or {NAMES[-1]}, or as plain text."
