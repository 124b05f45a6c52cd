"""Connections whose whole answer has one end in time, and that dial only what they may.

`requests` gives the time of each read; its look-up of names has no time at all.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from http.client import HTTPResponse
from queue import Empty, SimpleQueue
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

MayDial = Callable[[str], bool]
"""Whether an IP address, as text, may be called."""

MAX_STRANGERS_ANSWER_BYTES = 64 * 1024


class ForbiddenAddress(NewConnectionError):
    """Raised by a connection that will not dial what its host's name leads to."""


class _DeadlineReader(io.RawIOBase):
    """A socket's read side that ends at a point in time, and where asked to after so many bytes."""

    def __init__(self, sock: socket.socket, ends_at: float, max_bytes: int | None) -> None:
        self._sock = sock
        self._ends_at = ends_at
        self._left = max_bytes
        # makefile keeps the socket alive when http.client drops it early ("Connection: close").
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("deadline passed")
        self._sock.settimeout(remaining)
        read = self._raw.readinto(memoryview(buffer)[: self._left])
        if self._left is not None:
            self._left -= read or 0
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    def __init__(
        self,
        sock: socket.socket,
        *args: Any,
        ends_at: float,
        max_bytes: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_DeadlineReader(sock, ends_at, max_bytes))


class _DeadlineAnswers:
    """Makes urllib3's read timeout (what is left of the total) hold for the whole answer."""

    timeout: float | None
    response_class: Any
    # Of a whole answer, its headers too; a stranger's are not read without end.
    max_answer_bytes: int | None = None

    def getresponse(self) -> urllib3.HTTPResponse:
        if self.timeout is not None:
            ends_at = time.monotonic() + self.timeout
            self.response_class = partial(
                _DeadlineResponse, ends_at=ends_at, max_bytes=self.max_answer_bytes
            )
        return super().getresponse()  # type: ignore[misc, no-any-return]  # mixin: the connection's


class _Connection(_DeadlineAnswers, HTTPConnection):  # type: ignore[misc]  # response_class: a partial
    pass


class _TLSConnection(_DeadlineAnswers, HTTPSConnection):  # type: ignore[misc]  # as above
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """A `requests` transport whose timeout is a total. Pools `size` connections a host.

    Every address is dialled unless `may_dial` forbids one of those that the host's name leads to.
    """

    def __init__(self, size: int, may_dial: MayDial | None = None) -> None:
        self._pools: dict[str, Any] = {"http": _Pool, "https": _TLSPool}
        if may_dial is not None:
            self._pools = {"http": _guarded(_Pool, may_dial), "https": _guarded(_TLSPool, may_dial)}
        super().__init__(pool_connections=4, pool_maxsize=size, max_retries=0, pool_block=False)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Called by `requests`; puts our connections into its pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def send(
        self, request: requests.PreparedRequest, *_args: Any, **options: Any
    ) -> requests.Response:
        """The answer, its body still to be read; raises what urllib3 raises.

        The library's own way around its pool looks for proxies and cookies and costs as much again.
        """
        host, tls = self.build_connection_pool_key_attributes(request, options["verify"])
        pool = self.poolmanager.connection_from_host(**host, pool_kwargs=tls)
        # Where it is true, certifi's bundle is meant.
        check: Any = self.cert_verify  # untyped there
        check(pool, request.url, options["verify"], None)
        raw = pool.urlopen(
            str(request.method),
            request.path_url,
            body=request.body,
            headers=request.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=False,
            timeout=options["timeout"],
        )
        response = requests.Response()
        response.status_code, response.raw = raw.status, raw
        # They ignore case, too.
        response.headers = raw.headers
        return response


def _guarded(pool: Any, may_dial: MayDial) -> Any:
    """`pool` with connections that resolve once, ask, and dial just an address they asked about."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]  # the pool's own
        _dns_host: str
        timeout: float
        max_answer_bytes = MAX_STRANGERS_ANSWER_BYTES

        def _new_conn(self) -> socket.socket:
            name, seconds = self._dns_host, self.timeout
            ends_at = time.monotonic() + seconds
            addresses = _addresses(self, name, self.port, seconds)
            if not addresses or not all(map(may_dial, addresses)):
                raise ForbiddenAddress(self, "the name leads to an address that may not be called")
            try:
                return self._first_answering(addresses, ends_at)
            finally:
                self._dns_host, self.timeout = name, seconds

        def _first_answering(self, addresses: Sequence[str], ends_at: float) -> socket.socket:
            failure: Exception = ConnectTimeoutError(self, "the name was found too late")
            for left in range(len(addresses), 0, -1):
                # One that swallows everything leaves time for the next.
                share = (ends_at - time.monotonic()) / left
                if share <= 0:
                    break
                # What TLS and the Host header say stays the name.
                self._dns_host, self.timeout = addresses[-left], share
                try:
                    return super()._new_conn()  # type: ignore[no-any-return]  # the pool's own
                except (NewConnectionError, ConnectTimeoutError) as exc:
                    failure = exc
            raise failure

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _addresses(connection: Any, name: str, port: int, seconds: float) -> list[str]:
    """What `name` leads to. The system's own look-up knows no deadline, so a thread waits for it."""
    outcome: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            outcome.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, ValueError) as exc:
            outcome.put(exc)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        addresses = outcome.get(timeout=seconds)
    except Empty as exc:
        raise ConnectTimeoutError(connection, "the name was not found in time") from exc
    if isinstance(addresses, Exception):
        raise NewConnectionError(connection, "the name leads nowhere") from addresses
    return addresses
