"""What looks like a secret, hidden in text that others wrote. Knows no secret itself.

Rather too much is hidden than too little: a receiver's answer may repeat the headers that it got.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

HIDDEN: Final = "***"
_UNKNOWN: Final = "…"
_SHOWN: Final = 4
_NAMES: Final = (
    *("authorization", "(?:api|access|private)[ _-]?key", "token", "secret", "signature"),
    *("password", "passwd", "passphrase", "pwd", "cookie", "credential"),
)
# As they are, in JSON that stands in JSON, in HTML, and in an address.
_QUOTE: Final = r"(?:\\{0,7}[\"']|&quot;|&#3[49];|%2[27])"
# Every repetition has an end, so that no text takes longer than its length says.
_TAIL: Final = rf"{_QUOTE}?\]?\s{{0,8}}(?:=>|[:=]|%3[ad])\s{{0,40}}"
_NAMED: Final = re.compile(rf"({'|'.join(_NAMES)})[\w-]{{0,20}}{_TAIL}", re.I)
_MORE: Final = re.compile(_TAIL, re.I)
_OPENING: Final = re.compile(rf"[bu]?({_QUOTE})", re.I)
_CLOSERS: Final = {"[": "]", "{": "}", "(": ")"}
_SCHEMES: Final = "bearer|basic|digest|token|apikey|key|hmac|hawk|negotiate|oauth|signature"
_WORD: Final = r"[^\s\"'<>&:=]*"
_VALUE: Final = re.compile(rf"(?:(?:{_SCHEMES})(?:[\s+]|%20){{1,5}})?{_WORD}", re.I)
# Whatever its scheme is called.
_AUTHORIZATION: Final = re.compile(rf"(?:[\w-]{{1,40}}(?:[ \t+]|%20){{1,5}})?{_WORD}", re.I)
_BEARER: Final = re.compile(r"(bearer(?:[\s+:=]|%20){1,5})[^\s\"'<>&]+", re.I)
_KEY_CHARACTER: Final = r"[\w.~+/=%\\-]"
# The end of a word such as "task_id" is none, unless it is as long as a key.
_KEY: Final = re.compile(
    rf"whsec_{_KEY_CHARACTER}+"
    rf"|(?<![A-Za-z0-9])(?:sk|wh)_{_KEY_CHARACTER}+"
    rf"|(?:sk|wh)_{_KEY_CHARACTER}{{16,}}"
)
# Also in JSON that stands in JSON, and in an address.
_ADDRESS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}(?::|%3a)(?:\\{0,7}(?:/|%2f)){2}[^\s\"'<>]+", re.I
)
# As urllib3 tells what it asked for.
_PATH: Final = re.compile(r"(url: )/[^\s\"'<>]+", re.I)
_SECRET_NAME: Final = re.compile("|".join(_NAMES), re.I)


def masked(text: str) -> str:
    """`text` with keys, tokens and the values of names such as `password` as `***`."""
    named = "".join(_without_values(text))
    return _KEY.sub(HIDDEN, _BEARER.sub(rf"\1{HIDDEN}", named))


def masked_line(text: str) -> str:
    """`text` for a log: as `masked`, and addresses as `masked_address`, but for a mere host."""
    return _PATH.sub(rf"\1{_UNKNOWN}", _ADDRESS.sub(_masked_found, masked(text)))


# Routes, names and sentences come again and again; to search each for secrets costs more than the rest.
_SHORT: Final = 64
_PLAIN: Final = (int, float)
_masked_short: Final = lru_cache(maxsize=1024)(masked_line)


def redacted(value: Any) -> Any:
    """`value` as JSON can say it, without secrets: by their looks, and by the names that they go by."""
    if isinstance(value, str):
        return _masked_short(value) if len(value) <= _SHORT else masked_line(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {
            redacted(str(name)): HIDDEN if _is_secret_name(str(name)) else redacted(one)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one) for one in value]
    return masked_line(str(value))


@lru_cache(maxsize=256)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def masked_address(url: str) -> str:
    """Of an address its scheme and host, and its last characters, by which its owner knows it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _UNKNOWN
    if not parts.scheme or not parts.netloc:
        return _UNKNOWN
    front = f"{parts.scheme}://{parts.netloc}"
    behind = url[len(front) :].lstrip("/")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{_UNKNOWN}{behind[-_SHOWN:]}"


def _masked_found(address: re.Match[str]) -> str:
    url = address[0]
    return url if url.count("/") == 2 and not re.search(r"[@?#%\\]", url) else masked_address(url)


def _without_values(text: str) -> Iterator[str]:
    at = 0
    while name := _NAMED.search(text, at):
        begin, end = _value(text, name)
        yield text[at:begin]
        yield HIDDEN if end > begin else ""
        at = end
    yield text[at:]


def _value(text: str, name: re.Match[str]) -> tuple[int, int]:
    """Where the value behind `name` begins and ends.

    What follows a value like a name's own end does is hidden too: the value was a name itself.
    """
    word = _AUTHORIZATION if name[1].lower() == "authorization" else _VALUE
    begin, end, behind = _one_value(text, name.end(), word)
    while more := _MORE.match(text, behind):
        _, end, behind = _one_value(text, more.end(), word)
    return begin, end


def _one_value(text: str, at: int, word: re.Pattern[str]) -> tuple[int, int, int]:
    """Its beginning, its end, and what is behind it: in quotes or brackets, or a word."""
    if opening := _OPENING.match(text, at):
        return opening.end(), *_closing(text, opening.end(), opening[1])
    if closer := _CLOSERS.get(text[at : at + 1]):
        end = text.find(closer, at)
        return (at + 1, end, end + 1) if end >= 0 else (at + 1, len(text), len(text))
    found = word.match(text, at)
    end = found.end() if found else at
    return at, end, end


def _closing(text: str, at: int, opening: str) -> tuple[int, int]:
    """Where the quotes that `opening` opened close: the end of the value, and of the quotes."""
    depth = opening.count("\\")
    mark = opening[depth:]
    while (end := text.find(mark, at)) >= 0:
        backslashes = end - at - len(text[at:end].rstrip("\\"))
        # JSON in JSON doubles them, and adds one to each quote.
        if backslashes % (2 * (depth + 1)) == depth:
            return end - depth, end + len(mark)
        at = end + len(mark)
    return len(text), len(text)
