"""Which addresses events may be sent to: callback URLs come from strangers, who may mean our own network.

A target is judged by its name when somebody subscribes, and by the address behind the name
each time something is sent.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import SplitResult, urlsplit

from connector.domain.errors import InvalidInput

Network = IPv4Network | IPv6Network
MAX_CHARACTERS: Final = 2048
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]*"
)
_OWN_NAMES: Final = (
    *("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp"),
    *("home.arpa", "in-addr.arpa", "ip6.arpa"),
)
# What the standard library does not call private, and what only looks like an IPv6 address.
_DENIED: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/3"),
        *("168.63.129.16/32", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96"),
        *("64:ff9b:1::/48", "100::/64", "2001::/23", "2001:20::/28", "2001:db8::/32", "2002::/16"),
        *("3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    )
)
# All of IPv6 that is handed out to the public internet.
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")


def checked_target(url: str, *, allow_local: bool = False, name: str = "target_url") -> str:
    """`url` where events may be sent to it, else `InvalidInput` with a sentence that says why.

    `name` is the input that holds it. `allow_local` is for trials: it opens this machine by any
    port, with or without TLS.
    """
    if len(url) > MAX_CHARACTERS:
        raise InvalidInput(f"{name}: Longer than {MAX_CHARACTERS} characters.")
    if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise InvalidInput(f"{name}: Only printable ASCII, without spaces and backslashes.")
    parts = _split(url, name)
    host = parts.hostname or ""
    if allow_local and _is_this_machine(host):
        return url
    if parts.scheme != "https":
        raise InvalidInput(f"{name}: Use an address that starts with https://.")
    if parts.port not in (None, 443):
        raise InvalidInput(f"{name}: Use port 443, as https does by itself.")
    if _literal(host) is not None:
        raise InvalidInput(f"{name}: Use a host name, not a numeric address.")
    own = any(host == name or host.endswith(f".{name}") for name in _OWN_NAMES)
    if own or not _NAME.fullmatch(host):
        raise InvalidInput(f"{name}: Use the name of a host that the internet can reach.")
    return url


def paced_host(url: str) -> str | None:
    """The host of a checked target that is sent to at a bounded pace; null for this machine, in trials."""
    host = urlsplit(url).hostname or ""
    return None if _is_this_machine(host) else host


def is_denied(address: str, *, allow_local: bool = False, networks: Sequence[Network] = ()) -> bool:
    """Whether nothing may be sent to this IP address. `networks` are an operator's own to deny."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if allow_local and ip.is_loopback:
        return False
    if ip.version == 6 and ip not in _GLOBAL_IPV6:
        return True
    return not ip.is_global or _in(ip, _DENIED) or _in(ip, networks)


def _in(ip: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(ip in network for network in networks if network.version == ip.version)


def _split(url: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise InvalidInput(f"{name}: Not a valid address.") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidInput(f"{name}: Use an address that starts with https://.")
    if "@" in parts.netloc:
        raise InvalidInput(f"{name}: Leave out the user name and password.")
    if parts.fragment:
        raise InvalidInput(f"{name}: Leave out what follows the #.")
    return parts


def _is_this_machine(host: str) -> bool:
    literal = _literal(host)
    return host == "localhost" or bool(literal and ip_address(literal).is_loopback)


def _literal(host: str) -> str | None:
    """The address that `host` spells, however it does: short, decimal, hexadecimal or octal."""
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        pass  # a name, or a spelling that only the system's own reading takes
    if not re.fullmatch(r"[0-9a-fx.]+", host):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None
