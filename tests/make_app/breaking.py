"""Ways to break an app on purpose. A path leads to a value: `0/label`, `response/error/404`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.make_app.app import App

Content = Any
Change = Callable[[Content], object]


def broken(app: App, path: str, change: Change) -> App:
    """`app` with the content of one of its files changed."""
    content = json.loads(app.files[path])
    change(content)
    return App({**app.files, path: json.dumps(content)})


def _at(content: Content, path: str) -> tuple[Content, Any]:
    """The object that holds what `path` leads to, and its key there."""
    *parents, last = path.split("/")
    for name in parents:
        content = content[int(name) if isinstance(content, list) else name]
    return content, int(last) if isinstance(content, list) else last


def put(path: str, value: object) -> Change:
    def change(content: Content) -> None:
        holder, key = _at(content, path)
        holder[key] = value

    return change


def drop(path: str) -> Change:
    def change(content: Content) -> None:
        holder, key = _at(content, path)
        del holder[key]

    return change


def rename(path: str, new: str) -> Change:
    def change(content: Content) -> None:
        holder, key = _at(content, path)
        holder[new] = holder.pop(key)

    return change


def reverse(content: Content) -> None:
    content.reverse()


def clear(content: Content) -> None:
    content.clear()
