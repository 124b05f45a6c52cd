"""What is fuzzed: each reads hostile bytes as one of our parsers does, and says what has to hold.

Only the errors that a parser declares are let through; any other, and a broken promise, is a finding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from marshmallow import ValidationError

from connector.adapters.store.time import to_ms
from connector.config import Settings, SettingsError, documented
from connector.domain.errors import (
    ConnectorError,
    InvalidInput,
    InvalidSignature,
    ProfileNotFound,
    UpstreamInvalid,
)
from connector.domain.handles import MAX_LENGTH, normalise_handle
from connector.domain.inbound import callback_url_in, handle_in
from connector.domain.masking import masked, masked_address
from connector.domain.rows import MAX_VIDEOS, MAX_WARNINGS, profile_row
from connector.domain.signatures import HEADERS, Signature, Signed
from connector.domain.targets import MAX_CHARACTERS, checked_target, is_denied, paced_host
from connector.web.inputs import load_input
from connector.web.webhooks import _given, _sent
from profile_api.services.samples import DOCUMENTED
from schemas.inputs import HistoryInput, ProfileInput
from schemas.profile import ProfileRow
from wire.json_text import MAX_DEPTH, parse_json, to_json

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SECRETS = dict.fromkeys(HEADERS, "It's a secret") | {"standard": "whsec_" + "QUFB" * 8}
PLANTED = "sk_QJ7XZ0VG9QJ7XZ0VG9QJ7XZ0"
_APP = Flask(__name__)
_FIELDS = list(ProfileRow().fields)


@dataclass(frozen=True)
class Target:
    """A parser under fuzzing: what is done with the bytes, and what to begin with."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    # Words of its grammar, which would take long to be found by chance.
    words: Sequence[bytes] = ()


def handles(data: bytes) -> None:
    """Once normal, always normal; short, in lower case and one word."""
    with suppress(ConnectorError):
        name = normalise_handle(data.decode("utf-8", "replace"))
        assert 0 < len(name) <= MAX_LENGTH
        assert name == name.lower()
        assert not re.search(r"[\s/@?#]", name)
        assert normalise_handle(name) == name
        assert normalise_handle(f"@{name}") == name


def json_text(data: bytes) -> None:
    """What is read can be written, and reads as the same again; nothing nests deeper than allowed."""
    with suppress(ValueError):
        value = parse_json(data)
        text = to_json(value)
        assert parse_json(text) == value
        json.loads(text)
        assert _depth(value) <= MAX_DEPTH


def profiles(data: bytes) -> None:
    """Every key, in order, whatever came; and a row that can be sent."""
    try:
        answer = parse_json(data)
    except ValueError:
        return
    if not isinstance(answer, dict):
        return
    with suppress(ProfileNotFound, UpstreamInvalid):
        row = profile_row(answer, handle="ada", request_source="API", fetched_at=NOW)
        assert [key for key in row if key in _FIELDS] == _FIELDS
        assert len(row["recent_videos"]) <= MAX_VIDEOS
        assert len(row["warnings"]) <= MAX_WARNINGS + 1
        json.dumps(row, allow_nan=False).encode()


def inbound(data: bytes) -> None:
    """A request, to a webhook and as an action's input: content type, path, and a line later the body."""
    head, _, body = data.partition(b"\n")
    kind, _, path = head.decode("latin-1").partition("|")
    if re.search(r"[\r\n\0]", kind):
        return
    with (
        _APP.test_request_context("/?x=1", method="POST", data=body, content_type=kind),
        suppress(InvalidInput),
    ):
        _sent()
        given = _given()
        assert callback_url_in(given) is None or isinstance(callback_url_in(given), str)
        with suppress(InvalidInput):
            name = handle_in(given, path or None)
            assert normalise_handle(name) == name
        load_input(request, ProfileInput())


def signatures(data: bytes) -> None:
    """No signature of chance is taken for a true one; headers as WSGI hands them over."""
    header, at, body = [*data.split(b"\n", 2), b"", b""][:3]
    times = {"webhook-id": "msg_1", "webhook-timestamp": at.decode("latin-1")}
    for name in HEADERS:
        known = times | {HEADERS[name].lower(): header.decode("latin-1")}
        signature = Signature(name, HEADERS[name], SECRETS[name])
        signed = Signed(lambda asked, known=known: known.get(asked.lower(), ""), body)
        with suppress(InvalidSignature):
            signature.check(signed, NOW)
            raise AssertionError("a forged signature was taken for a true one")


def masking(data: bytes) -> None:
    """A planted key never survives, whatever stands around it, and nothing grows without end."""
    text = data.decode("utf-8", "replace")
    middle = len(text) // 2
    before, after = text[:middle], text[middle:]
    if PLANTED in text:
        return
    assert PLANTED not in masked(f"{before} {PLANTED} {after}")
    assert PLANTED not in masked(json.dumps({before: {"api_key": PLANTED}, "x": after}))
    assert masked_address(text) is not None
    assert f"/{PLANTED}/" not in masked_address(f"https://x.example/{PLANTED}/{after}")


def settings(data: bytes) -> None:
    """A wrong value is told by the name of its setting, never by itself."""
    names = [name for name, _, _ in documented()]
    name = names[data[0] % len(names)] if data else names[0]
    text = data[1:].decode("utf-8", "replace")
    for value in (text, text + PLANTED, text[: len(text) // 2] + PLANTED + text[len(text) // 2 :]):
        try:
            said = repr(Settings.from_env({name: value}))
        except SettingsError as exc:
            said = str(exc)
        assert PLANTED not in said
        assert said.startswith(("The setting ", "Settings("))


def targets(data: bytes) -> None:
    """No address in numbers passes, no name of an own network, nobody's password."""
    text = data.decode("latin-1")
    with suppress(InvalidInput):
        url = checked_target(text)
        assert url == text
        assert len(url) <= MAX_CHARACTERS
        parts = urlsplit(url)
        host = parts.hostname or ""
        assert (parts.scheme, parts.port or 443, parts.username) == ("https", 443, None)
        assert not host.endswith((".localhost", ".local", ".internal"))
        assert paced_host(url) == host
        with suppress(ValueError):
            ip_address(host)
            raise AssertionError("a numeric address passed")
    with suppress(ValueError):
        ip = ip_address(text)
        assert is_denied(text) or ip.is_global


def tokens(data: bytes) -> None:
    """Cursors and moments in a query: read, or refused by a schema's own error."""
    given = dict(
        zip(("since", "until", "cursor"), data.decode("utf-8", "replace").split("&"), strict=False)
    )
    with suppress(ValidationError):
        read = HistoryInput().load(given)
        assert read["cursor"] is None or 0 < read["cursor"] < 2**63
        for moment in filter(None, (read["since"], read["until"])):
            assert abs(to_ms(moment)) < 2**63


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [node for node in level if isinstance(node, (dict, list))]:
        depth += 1
        level = [c for node in level for c in (node.values() if isinstance(node, dict) else node)]
    return depth


_ANSWER = json.dumps(DOCUMENTED).encode()
_FORM = b"application/x-www-form-urlencoded"
_PARTS = b'--x\r\nContent-Disposition: form-data; name="handle"\r\n\r\nada\r\n--x--\r\n'

TARGETS = {
    "handles": Target(
        handles,
        [
            b"@Ada",
            b"https://www.tiktok.com/@ada?lang=de",
            b"vm.tiktok.com/x",
            "＠ädá\u200b".encode(),
        ],
        [b"tiktok.com/@", b"https://", b"%40", b"www.", b"\xe2\x80\x8b"],
    ),
    "json_text": Target(
        json_text,
        [b'{"a": [1, -2.5e3, true, null, "\\ud83c\\udf88"]}', b'"\\ud800"', b"[" * 70 + b"]" * 70],
        [b"\\ud800", b"1e999", b"NaN", b"18446744073709551616", b"\xef\xbb\xbf"],
    ),
    "profiles": Target(
        profiles,
        [_ANSWER, b'{"account_deactivated": true}', b'{"user": {"id": 1}, "itemList": [{}]}'],
        [b'"user"', b'"uniqueId"', b'"stats"', b'"itemList"', b'"heartCount"', b'"createTime"'],
    ),
    "inbound": Target(
        inbound,
        [
            b'application/json|data.0.handle\n{"data": [{"handle": "@ada"}]}',
            _FORM + b"|\nhandle=%40ada&x=1",
            b"multipart/form-data; boundary=x|\n" + _PARTS,
            b"multipart/form-data; boundary=x|\n" + _PARTS.replace(b'; name="handle"', b""),
            b"text/plain|\nlook at <https://www.tiktok.com/@ada|ada>!",
        ],
        [b"handle", b"username", b"charset=utf-7", b"boundary=", b"+json", b"Content-Disposition"],
    ),
    "signatures": Target(
        signatures,
        [
            b"v1,AAAA v2,x\n1795523400\n{}",
            b"sha256=" + b"0" * 64 + b"\n\n{}",
            b"t=1795523400,v1=" + b"0" * 64 + b"\n\n{}",
        ],
        [b"v1,", b"v1=", b"t=", b"sha256="],
    ),
    "masking": Target(
        masking,
        [b'{"token": "', b"Authorization: Bearer ", b"api_key=x&secret=", b"https://u:p@h/x"],
        [b"authorization", b"password", b"bearer ", b"whsec_", b"&quot;", b"%22", b'\\"', b"=>"],
    ),
    "settings": Target(
        settings,
        [
            bytes([number]) + value
            for number, (_, default, _) in enumerate(documented())
            for value in (default.encode(), b"postgresql://u:p@h/n")
        ],
        [
            b"postgres://",
            b"redis://",
            b"rediss://",
            b"sqlite:///",
            b"https://",
            b"10.0.0.0/8",
            b"%40",
        ],
    ),
    "targets": Target(
        targets,
        [b"https://hooks.example.com/a?b=c", b"https://0x7f.1/", b"https://[::1]/", b"169.254.1.1"],
        [b"https://", b"localhost", b"127.0.0.1", b"::ffff:", b"@", b":443", b"%25"],
    ),
    "tokens": Target(
        tokens,
        [b"2026-11-24T12:30:00.000Z&&123", b"2026-11-24&2027-01-01T00:00:00+14:00&"],
        [b"T", b"Z", b"+00:00"],
    ),
}
