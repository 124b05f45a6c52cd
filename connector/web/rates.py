"""How many requests a minute one API key and one address may make. What is beyond is refused, unpaid.

For the connector's own routes: the embedded endpoint has limits of its own, and so has each webhook.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

from flask import Flask, request

from connector.domain.errors import InvalidApiKey, RateLimited
from connector.domain.ports import Clock
from connector.web.inputs import api_key_of

# Asked for by load balancers and monitors: one that is refused takes the process out of service.
UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_IPV6_NETWORK_BITS: Final = 64


class Counts(Protocol):
    """What counts."""

    def count(self, names: Sequence[str], minute: int) -> list[int]:
        """Counts one more for each name; answers how many it has in the minute."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The limits, in requests a minute; 0 for none."""

    counts: Counts
    clock: Clock
    per_key: int
    per_address: int

    def check_request(self) -> None:
        """Counts the request that is being done. Raises `RateLimited`."""
        if request.path in UNCOUNTED:
            return
        try:
            key = api_key_of(request) if self.per_key else ""
        except InvalidApiKey:
            key = ""
        self._check(key, _counted_address(request.remote_addr or "") if self.per_address else None)

    def check_key(self, key: str) -> None:
        """Counts a request whose key is not in its headers. Raises `RateLimited`."""
        self._check(key if self.per_key else "", None)

    def _check(self, key: str, address: str | None) -> None:
        limits = {}
        if address:
            limits[f"address:{address}"] = (self.per_address, "address")
        if key:
            # Whoever reads the counts must not find keys.
            limits[f"key:{hashlib.sha256(key.encode()).hexdigest()}"] = (self.per_key, "API key")
        if not limits:
            return
        now = self.clock.now()
        counted = self.counts.count(list(limits), int(now.timestamp()) // 60)
        for number, (limit, whose) in zip(counted, limits.values(), strict=True):
            if number > limit:
                raise RateLimited(
                    f"This connector takes {limit} requests a minute from one {whose}.",
                    retry_after_seconds=60 - now.second,
                )


def limit_rates(app: Flask, rates: Rates) -> None:
    """Checks each request before anything else is done for it, also those for no route."""
    app.before_request(rates.check_request)


@lru_cache(4096)
def _counted_address(text: str) -> str | None:
    """The address or, by IPv6, the network that one customer has; null where it says nothing of who asks.

    A private address is that of a proxy of one's own, behind which is everybody.
    """
    try:
        address = ip_address(_without_port(text))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if not address.is_global:
        return None
    if not isinstance(address, IPv6Address):
        return str(address)
    return f"{int(address) >> _IPV6_NETWORK_BITS:x}"


def _without_port(text: str) -> str:
    # Some proxies say in X-Forwarded-For from which port, too: a new one for each connection.
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
