"""What a setting may hold. Each rule refuses with the end of a sentence, and never repeats the value."""

from __future__ import annotations

import base64
import re
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import urlsplit

from marshmallow import ValidationError
from marshmallow import fields as kinds

POSTGRESQL = "postgresql+psycopg://"
"""How the address of a PostgreSQL database begins, once it is read."""
GEVENT = "gevent"
"""The worker class, and the package that it needs."""


def address(text: str) -> None:
    """Refuses what is no address of a web server."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        usable = usable and not re.search(r"\s", text)
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError("must be an address such as https://api.example.com.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValidationError("must not hold a user name, password, query or fragment.")


def base_address(text: str) -> None:
    """Refuses an address that goes on into the API."""
    address(text)
    if "/api/v1" in text:
        raise ValidationError("must end before /api/v1.")


class DatabaseAddress(kinds.String):
    """SQLite, or PostgreSQL by whatever name hosts call it: then with the driver that is installed."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        scheme, found, rest = text.partition("://")
        if scheme.lower() in ("postgres", "postgresql", "postgresql+psycopg") and found:
            _check_server(rest)
            return f"{POSTGRESQL}{rest}"
        # Each process and connection would have a database of its own in memory.
        if text.removeprefix("sqlite:///") in (text, "", ":memory:"):
            raise ValidationError(
                "must be an address such as sqlite:///var/connector.db"
                " or postgresql://user:password@host/name."
            )
        return text


def _check_server(rest: str) -> None:
    """Refuses what would be understood as another host or name than was meant."""
    try:
        parts = urlsplit(f"//{rest}")
        whole = parts.port != 0 and (parts.hostname or "host=" in parts.query)
    except ValueError:
        whole = False
    name = parts.path.removeprefix("/") if whole else ""
    if not re.fullmatch(r"[^/@]+", name) or "@" in parts.netloc.rpartition("@")[0]:
        whole = False
    if not whole or parts.fragment or re.search(r"\s", rest):
        raise ValidationError(
            "must be like postgresql://user:password@host/name,"
            " with %40 for an @ in the password, %2F for a / and so on."
        )


def broker_address(text: str) -> None:
    """Refuses what is no address of Redis."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if (
        not usable
        or not re.fullmatch(r"(/\d*)?", parts.path)
        or "@" in parts.netloc.rpartition("@")[0]
        or parts.fragment
        or re.search(r"\s", text)
    ):
        raise ValidationError(
            "must be like redis://:password@host:6379/0, or rediss:// for TLS,"
            " with %40 for an @ in the password, %2F for a / and so on."
        )
    # What hosts say whose certificates nobody has signed; it takes TLS's worth away from others.
    if parts.query and (parts.scheme, parts.query) != ("rediss", "ssl_cert_reqs=none"):
        raise ValidationError("must have no query but ?ssl_cert_reqs=none, after rediss://.")


def host(text: str) -> None:
    """Refuses what can't be listened on."""
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", text):
        raise ValidationError("must be an address or a name, such as 127.0.0.1 or ::1.")


def header(text: str) -> None:
    """Refuses what can't be sent as a header."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValidationError("must be printable ASCII without spaces, as it goes into a header.")


def encryption_keys(text: str) -> None:
    """Refuses what is no list of Fernet keys."""
    for key in text.split(","):
        try:
            size = len(base64.b64decode(key.strip(), altchars=b"-_", validate=True))
        except ValueError:
            size = 0
        if size != 32:
            raise ValidationError("must be keys from 'python -m connector new-encryption-key'.")


def worker_class(text: str) -> None:
    """Refuses what web processes can't wait with."""
    if text not in ("gthread", GEVENT):
        raise ValidationError("must be gthread or gevent.")
    # Not everybody needs it; gunicorn would end in a traceback.
    if text == GEVENT:
        _check_installed(GEVENT, GEVENT)


def _check_installed(package: str, needed_for: str) -> None:
    """Refuses what needs a package that is not in requirements.txt and not there."""
    if not find_spec(package):
        raise ValidationError(
            f"{package} is not installed;"
            f" 'pip install -r requirements-{needed_for}.txt' installs it."
        )


def dsn(text: str) -> None:
    """Refuses what Sentry gave to nobody."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not parts.username or not re.fullmatch(r"(/[\w-]+)*/\d+", parts.path):
        raise ValidationError("must be a DSN such as https://key@sentry.example.com/1.")
    _check_installed("sentry_sdk", "extras")


def collector_address(text: str) -> None:
    """Refuses what traces can't be sent to."""
    address(text)
    _check_installed("opentelemetry", "extras")


def networks(text: str) -> None:
    """Refuses what is no list of networks."""
    try:
        networks_in(text)
    except ValueError:
        raise ValidationError("must be networks such as 10.0.0.0/8,2001:db8::/32.") from None


def networks_in(text: str | None) -> list[IPv4Network | IPv6Network]:
    """The networks in `text`, with commas. Raises `ValueError`."""
    return [ip_network(part.strip()) for part in text.split(",")] if text else []
