"""Secrets in foreign text are hidden, whatever stands around them, in time that grows with its length."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.masking import masked, masked_address

NAMES = (
    *("authorization", "Proxy-Authorization", "api_key", "X-API-Key", "apikey", "token"),
    *("access_token", "client_secret", "secretKey", "Password", "Stripe-Signature", "Set-Cookie"),
)
# None that a name is made of, or a part of one would be taken for the value.
CAPITALS = "0123456789GJQVXYZ"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
values = st.text(CAPITALS, min_size=12, max_size=40)
keys = st.builds(
    lambda prefix, rest: prefix + rest,
    st.sampled_from(["sk_", "whsec_", "wh_"]),
    st.text(f"{LETTERS}-_+/=", min_size=16, max_size=48),
)
names = st.sampled_from(NAMES)
# With what could put a reader of it out of step.
noise = st.lists(
    st.sampled_from([*"\"'\\ \n:=&<>[]{},;é%", "token", '"secret": "', "Bearer ", "Basic", "x=1"])
).map("".join)

PLACES: dict[str, Callable[[str, str], str]] = {
    "json": lambda name, value: json.dumps({"headers": {name: value}, "ok": False}),
    "json in json": lambda name, value: json.dumps({"sent": json.dumps({name: value})}),
    "twice": lambda name, value: json.dumps({"a": json.dumps({"b": json.dumps({name: value})})}),
    "list in json": lambda name, value: json.dumps({name: [value]}, indent=2),
    "number": lambda name, value: f'{{"{name}": {value}}}',
    "python": lambda name, value: repr({name: value, "n": 1}),
    "bytes in python": lambda name, value: repr({name: value.encode()}),
    "form": lambda name, value: urlencode({"a": "b", name: value, "c": "d"}),
    "json in a form": lambda name, value: f"payload={quote(json.dumps({name: value}))}&x=1",
    "header": lambda name, value: f"HTTP/1.1\r\n{name}: {value}\r\nHost: x",
    "php": lambda name, value: f"Array\n(\n    [{name}] => {value}\n)",
    "ruby": lambda name, value: f'{{"{name}"=>"{value}"}}',
    "html": lambda name, value: f"<pre>{{&quot;{name}&quot;: &quot;{value}&quot;}}</pre>",
    "cut off": lambda name, value: json.dumps({name: value})[:-3],
    "basic": lambda name, value: f"{name}: Basic {value}\n",
    "bearer": lambda name, value: json.dumps({"x": f"line\nBearer {value}", "y": name}),
}


@pytest.mark.parametrize("place", PLACES)
@given(before=noise, name=names, value=values, after=noise)
def test_planted_value_never_survives(
    place: str, before: str, name: str, value: str, after: str
) -> None:
    """Neither whole nor in part, whatever stands before it."""
    result = masked(f"{before}\n{PLACES[place](name, value)}\n{after}")
    assert not any(value[n : n + 8] in result for n in range(len(value) - 8))


@given(before=noise, key=keys, after=noise)
def test_planted_key_never_survives(before: str, key: str, after: str) -> None:
    """Under no name at all, behind any character, in JSON and in an address too."""
    for form in (key, json.dumps(f"\n{key}"), quote(key, safe=""), key.replace("/", "\\/")):
        result = masked(f"{before}{form} {after}")
        assert key[-12:].rstrip("=") not in result
        assert form[-14:] not in result


@given(
    name=names,
    first=values,
    between=st.sampled_from(['"', "\\", '\\"', "\n", "'", '\\\\"', ", ", "] "]),
    last=values,
)
def test_value_ends_where_its_quotes_do(name: str, first: str, between: str, last: str) -> None:
    """Not at those that stand in it, however often they are escaped."""
    text = json.dumps({name: f"{first}{between}{last}", "reason": "expired"})
    for level in range(3):
        assert first not in masked(text)
        assert last not in masked(text)
        assert "expired" in masked(text), level
        text = json.dumps({"sent": text})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"token": "abc", "error": "gone"}', '{"token": "***", "error": "gone"}'),
        ("a=1&api_key=abc&b=2", "a=1&api_key=***&b=2"),
        ("Authorization: Basic YWJj\r\nHost: x", "Authorization: ***\r\nHost: x"),
        ("Bearer abc is unknown", "Bearer *** is unknown"),
        ("key sk_abc, no account", "key ***, no account"),
        ("webhook-signature: v1,abc= v1,def=", "webhook-signature: ***"),
        ('{"secret":["a","b"],"n":1}', '{"secret":[***],"n":1}'),
        ("password=", "password="),
        ('token= "password": "abc"', 'token= "***"'),
        ('{"error": "No such task_id, desk_1"}', '{"error": "No such task_id, desk_1"}'),
        ("The token is missing.", "The token is missing."),
        ("", ""),
    ],
    ids=lambda text: text[:20] or "empty",
)
def test_the_rest_can_still_be_read(text: str, shown: str) -> None:
    """Or nobody would learn from it what was wrong."""
    assert masked(text) == shown


@given(text=st.text())
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(masked(text), str)


HOSTILE = (
    *("token", "token=", "token='", 'token=\\"', "token=[", "token: ", "authorization: a ", "\\"),
    *(
        "token&quot;:&quot;",
        "a-",
        " ",
        "bearer ",
        "sk_",
        "wh_a",
        "token=Bearer ",
        'token":"\\',
        "=",
    ),
    *(
        "token" + " " * 9,
        "token=" + " " * 50,
        "secret" + "-" * 21,
        "%20",
        '"\\\\"',
        "authorization:",
    ),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    """A megabyte in a second or so; were it quadratic, it would take hours."""
    for end in ("", " ", '"'):
        text = piece * (1_000_000 // len(piece)) + end
        began = time.process_time()
        masked(text)
        assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/hooks/catch/1/abcdef", "https://hooks.example.com/…cdef"),
        ("https://hook.example.com/?key=abcdef", "https://hook.example.com/…cdef"),
        ("https://hook.example.com?key=abcdef", "https://hook.example.com/…cdef"),
        ("https://user:word@hook.example.com/abcdef", "https://hook.example.com/…cdef"),
        ("http://127.0.0.1:9000/in", "http://127.0.0.1:9000/…in"),
        ("https://hook.example.com", "https://hook.example.com/…"),
        ("abcdefgh", "…"),
        ("https://[x/abcdefgh", "…"),
    ],
)
def test_address_shows_its_host_and_its_end(url: str, shown: str) -> None:
    """Whoever has the whole of it can send to it."""
    assert masked_address(url) == shown
