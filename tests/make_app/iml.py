"""The expressions between `{{` and `}}`: names, members, texts, numbers and a few functions.

Operators, indexes and other functions are refused: the app has none, and what they do in
Make has to be looked up before anybody relies on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<end>\}\})|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|(?P<quoted>`[^`]+`)|(?P<mark>[.,()]))"
)
_CONSTANTS = {"null": None, "true": True, "false": False}


class ImlError(Exception):
    """An expression that doesn't parse, or that says something unknown."""


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Path:
    """A variable and the members below it: `("body", "error")`."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


Expression = Literal | Path | Call
Part = str | Literal | Path | Call


def evaluate(content: Any, variables: Mapping[str, Any]) -> Any:
    """`content` with every template in it filled in; a lone expression keeps its type."""
    if isinstance(content, dict):
        return {_plain(key): evaluate(value, variables) for key, value in content.items()}
    if isinstance(content, list):
        return [evaluate(value, variables) for value in content]
    if not isinstance(content, str):
        return content
    parts = parse(content)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return _value(parts[0], variables)
    return "".join(p if isinstance(p, str) else _text(_value(p, variables)) for p in parts)


def parse(template: str) -> list[Part]:
    """The texts and expressions of `template`, in order."""
    parts: list[Part] = []
    position = 0
    while (start := template.find("{{", position)) >= 0:
        if start > position:
            parts.append(template[position:start])
        parser = _Parser(template, start + 2)
        parts.append(parser.whole())
        position = parser.position
    rest = template[position:]
    if "}}" in rest:
        raise ImlError(f"}}}} without {{{{ in {template!r}")
    return [*parts, rest] if rest or not parts else parts


def paths(template: str) -> Iterator[tuple[str, ...]]:
    """Every variable that `template` reads, with the members below it."""
    for part in parse(template):
        if not isinstance(part, str):
            yield from _paths(part)


def is_true(value: Any) -> bool:
    """As in JavaScript: an empty object or list is true."""
    return isinstance(value, (dict, list)) or bool(value)


def _paths(expression: Expression) -> Iterator[tuple[str, ...]]:
    if isinstance(expression, Path):
        yield expression.names
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from _paths(argument)


def _plain(key: str) -> str:
    if "{{" in key:
        raise ImlError(f"a computed key, {key!r}, is unknown here")
    return key


def _value(expression: Expression, variables: Mapping[str, Any]) -> Any:
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Call):
        _, function = FUNCTIONS[expression.function]
        return function(*(_value(argument, variables) for argument in expression.arguments))
    first, *members = expression.names
    if first not in variables:
        raise ImlError(f"there is no variable {first!r} here, only {sorted(variables)}")
    value = variables[first]
    for member in members:
        value = value.get(member) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ImlError(f"{type(value).__name__} in the middle of a text")


def _ifempty(value: Any, instead: Any) -> Any:
    return instead if value is None or value == "" else value


def _join(values: Any, between: str) -> str:
    if values is not None and not isinstance(values, list):
        raise ImlError("join of what is no list")
    return between.join(map(_text, values or []))


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "ifempty": (2, _ifempty),
    "join": (2, _join),
}


class _Parser:
    def __init__(self, template: str, position: int) -> None:
        self.template = template
        self.position = position

    def whole(self) -> Expression:
        expression = self._expression()
        self._expect("end", "}}")
        return expression

    def _next(self) -> tuple[str, str]:
        match = _TOKEN.match(self.template, self.position)
        if match is None or match.lastgroup is None:
            rest = self.template[self.position :].lstrip()
            raise ImlError(f"unknown or unfinished: {rest[:20]!r} in {self.template!r}")
        self.position = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _sees(self, mark: str) -> bool:
        match = _TOKEN.match(self.template, self.position)
        return match is not None and match["mark"] == mark

    def _expect(self, kind: str, text: str) -> None:
        found = self._next()
        if found != (kind, text):
            raise ImlError(f"{text!r} was expected, not {found[1]!r}, in {self.template!r}")

    def _expression(self) -> Expression:
        kind, text = self._next()
        if kind == "number":
            return Literal(float(text) if "." in text else int(text))
        if kind == "string":
            return Literal(text[1:-1])
        if kind != "name":
            raise ImlError(f"an expression can't start with {text!r}, in {self.template!r}")
        if self._sees("("):
            return self._call(text)
        if text in _CONSTANTS:
            return Literal(_CONSTANTS[text])
        return self._path(text)

    def _path(self, first: str) -> Path:
        names = [first]
        while self._sees("."):
            self._next()
            kind, text = self._next()
            if kind not in ("name", "quoted"):
                raise ImlError(f"a member can't be {text!r}, in {self.template!r}")
            names.append(text.strip("`"))
        return Path(tuple(names))

    def _call(self, function: str) -> Call:
        if function not in FUNCTIONS:
            raise ImlError(f"the function {function!r} is unknown, in {self.template!r}")
        self._expect("mark", "(")
        arguments = [self._expression()]
        while self._sees(","):
            self._next()
            arguments.append(self._expression())
        self._expect("mark", ")")
        if len(arguments) != FUNCTIONS[function][0]:
            raise ImlError(f"{function!r} takes {FUNCTIONS[function][0]} arguments")
        return Call(function, tuple(arguments))
