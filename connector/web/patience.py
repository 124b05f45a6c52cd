"""How long slow clients are waited for, in place of gunicorn's for ever.

Whoever sends or takes a byte at a time holds a thread all the while. Looks at time and bytes only: what is
malformed is for gunicorn's own parser to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import gunicorn.http
import gunicorn.util
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader

# Callers send a head in one packet, or in two, and the longest body (1 MB) in seconds.
HEAD_SECONDS: Final = 10
BODY_SECONDS: Final = 30
# For each piece of an answer; most are one piece, which the kernel takes at once. A large one that is
# taken steadily goes on, down to 9 KB a second.
ANSWER_SECONDS: Final = 30
ANSWER_BYTES: Final = 256 * 1024
# As long as others wait for a thread.
PRESSED_SECONDS: Final = 1
_LOOK_SECONDS: Final = 0.25

Pressed = Callable[[], bool]
"""Whether somebody waits for a thread."""
Monotonic = Callable[[], float]
T = TypeVar("T")


def bound_slow_clients(pressed: Pressed) -> None:
    """Makes this process of gunicorn's patient with its clients for so long, and no longer."""
    gunicorn.http.get_parser = partial(_Parser, pressed=pressed)
    gunicorn.util.write = partial(write, pressed=pressed)
    gunicorn.util.write_chunk = partial(write, chunked=True, pressed=pressed)


class _Wait:
    """One wait for a client, whatever the number of its bytes. Without `began` it has all the time."""

    def __init__(
        self,
        seconds: float,
        pressed: Pressed,
        began: float | None,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._pressed = pressed
        self._monotonic = monotonic
        self.began = began

    def through(self, sock: Any, act: Callable[[], T]) -> T:
        """What `act` answers, which sends or receives something. Raises `TimeoutError`."""
        # Set once and left so, as each change is a call of the system.
        wanted = None if self.began is None else _LOOK_SECONDS
        if sock.gettimeout() != wanted:
            sock.settimeout(wanted)
        while self.began is None or not self._is_over(self.began):
            with suppress(TimeoutError):
                return act()
        raise TimeoutError

    def _is_over(self, began: float) -> bool:
        waited = self._monotonic() - began
        return waited > self._seconds or (waited > PRESSED_SECONDS and self._pressed())


class _Unreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    wait: _Wait

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Called by gunicorn for more bytes."""
        data: bytes = self.wait.through(self.sock, partial(super().chunk, size_hint))
        self.wait.began = self.wait.began or time.monotonic()
        return data


class _Parser(RequestParser):  # type: ignore[misc]  # as above
    def __init__(self, cfg: Any, source: Any, address: Any, *, pressed: Pressed) -> None:
        super().__init__(cfg, source, address)
        self.unreader = _Unreader(source)
        self._pressed = pressed

    def __next__(self) -> Any:
        """The next request, once its head is there; its body has a time of its own."""
        # Between requests a connection is idle for as long as the worker keeps it, unless half of the
        # next one came with the last.
        is_idle = self.req_count and not self.unreader.buf.getvalue()
        began = None if is_idle else time.monotonic()
        self.unreader.wait = _Wait(HEAD_SECONDS, self._pressed, began)
        try:
            request = super().__next__()
        except TimeoutError:
            gunicorn.util.write_error(self.unreader.sock, 408, "Request Timeout", "")
            raise StopIteration from None
        self.unreader.wait = _Wait(BODY_SECONDS, self._pressed, time.monotonic())
        return request


def write(
    sock: Any,
    data: bytes,
    chunked: bool = False,  # noqa: FBT001, FBT002  # gunicorn's
    *,
    pressed: Pressed,
    monotonic: Monotonic = time.monotonic,
) -> None:
    """In place of gunicorn's own, which waits until the client takes it. Raises `TimeoutError`."""
    whole = memoryview(b"%X\r\n%b\r\n" % (len(data), data) if chunked else data)
    for start in range(0, len(whole), ANSWER_BYTES):
        left = whole[start : start + ANSWER_BYTES]
        wait = _Wait(ANSWER_SECONDS, pressed, monotonic(), monotonic)
        while left:
            left = left[wait.through(sock, partial(sock.send, left)) :]
