"""JSON from strangers: parsed strictly, with bounded nesting and text that can be encoded again."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 64
# What orjson doesn't keep exactly: an integer of more than 18 digits, which may need more than 64 bits.
# Looked for in a text whose digits are all 0, and all that may stand before a number is a comma.
_SHAPES = bytes.maketrans(b"123456789[: \t\r\n-", b"000000000,,,,,,,")
_LONG_INTEGER = b"," + b"0" * 19
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

SPACE = b" \t\r\n"
"""What JSON takes for space; Python's own idea of it holds more."""


def parse_json(text: bytes) -> Any:
    """The JSON value in UTF-8 `text`.

    A lone surrogate (a bio cut within an emoji) becomes U+FFFD, since no other
    program could read it back. Raises ValueError for anything that is not JSON: NaN,
    infinities, numbers beyond a float, more than `MAX_DEPTH` levels.
    """
    value = _parsed(text)
    # Fewer brackets than levels allowed: no need to walk the value.
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    if _ESCAPED_SURROGATE.search(text):
        return _replace_lone_surrogates(value)
    return value


def to_json(value: Any) -> bytes:
    """`value` as compact JSON in UTF-8, NaN and infinities as null.

    Raises TypeError for a date or any other object, ValueError for text that can't be encoded.
    """
    try:
        return orjson.dumps(value, option=_STRICT)
    except TypeError:
        # Integers of more than 64 bits, and keys that are none.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()


_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def _parsed(text: bytes) -> Any:
    """The standard library's value, from a faster parser where both agree."""
    if _LONG_INTEGER not in b"," + text.translate(_SHAPES):
        try:
            return orjson.loads(text)
        except ValueError:
            pass  # such as a lone surrogate: the other one has the last word
    try:
        return json.loads(text.decode("utf-8-sig"), parse_constant=_refuse, parse_float=_finite)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    if any(isinstance(node, (dict, list)) for node in level):
        raise ValueError("nested too deeply")


def _replace_lone_surrogates(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(re.sub("[\ud800-\udfff]", "\ufffd", text))
    return value
