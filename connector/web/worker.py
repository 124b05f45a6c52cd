"""The web server's worker: what gunicorn refuses by itself is refused in our words, without echoes."""

from __future__ import annotations

import json
import logging
import selectors
import socket
import time
from collections import deque
from functools import partial
from typing import Any, Final

import gunicorn.glogging
import gunicorn.util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from connector.domain.trace import HEADER, request_id, under
from connector.web.errors import refusal_body
from connector.web.headers import ALWAYS
from connector.web.patience import HEAD_SECONDS, bound_slow_clients

log = logging.getLogger("connector.requests")
EXIT_SECONDS: Final = 5
# For a client to hang up once it was answered for the last time, and for what it sends meanwhile.
LEAVE_SECONDS: Final = 2
_UNHEARD_BYTES: Final = 64 * 1024


class Discreet:
    """Refuses a malformed request without repeating it: a misspelt header may hold a key."""

    cfg: Any

    def init_process(self) -> None:
        """Called by gunicorn in the new process, which kills it when its own timeout has passed."""
        bound_slow_clients(self.is_pressed)
        # So this one waits less long, and ends in order.
        self.cfg.set("graceful_timeout", self.cfg.graceful_timeout - EXIT_SECONDS)
        super().init_process()  # type: ignore[misc]  # mixin: gunicorn's worker

    def is_pressed(self) -> bool:
        """Whether somebody waits while others hold what they need."""
        return False

    def handle_request(self, *given: Any) -> Any:
        """Called by gunicorn, which would log a client that takes no answer as a fault."""
        try:
            return super().handle_request(*given)  # type: ignore[misc]  # as above
        except TimeoutError as exc:
            raise StopIteration from exc

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Called by gunicorn, which logs the exception's text."""
        if isinstance(exc, ParseException):
            texts = {n: "(not shown)" for n, v in vars(exc).items() if isinstance(v, str | bytes)}
            vars(exc).update(texts)
        super().handle_error(req, client, addr, exc)  # type: ignore[misc]  # as above


class DiscreetWorker(Discreet, ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread for each look-up, and none for a client that has nothing to say or is to go.

    One that ends refuses connections, rather than to let them wait.
    """

    def init_process(self) -> None:
        """Called by gunicorn in the new process."""
        self._leaving: deque[Any] = deque()
        super().init_process()

    def is_pressed(self) -> bool:
        """Whether more connections have something to say than there are threads."""
        idle = len(self.keepalived_conns) + len(self.pending_conns) + len(self._leaving)
        return bool(self.nr_conns - idle > self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Called by gunicorn, which gives a new connection a thread before it has said anything."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        self._wait_with(conn, self.pending_conns, HEAD_SECONDS, self.on_pending_socket_readable)

    def finish_request(self, conn: Any, done: Any) -> None:
        """Called by gunicorn, whose event loop would wait until the client hangs up."""
        if done.cancelled() or done.exception() or done.result() is not False:
            super().finish_request(conn, done)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(conn)
            return
        # Closed at once, what it still sends would take the answer from it.
        conn.unheard = 0
        self._wait_with(conn, self._leaving, LEAVE_SECONDS, self._not_heard)

    def murder_pending(self) -> None:
        """Called by gunicorn about once a second, also while it ends."""
        super().murder_pending()
        while self._leaving and self._leaving[0].timeout < time.monotonic():
            self._leave(self._leaving[0])

    alive: bool

    def is_parent_alive(self) -> bool:
        """Called by gunicorn, which ends the worker where its server was killed."""
        # Else it keeps the listener, and connections in use, until its patience is over: it is not told.
        self.alive = self.alive and super().is_parent_alive()
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  # gunicorn's
        """Called by gunicorn, which keeps the listener until what is in flight has ended."""
        super().set_accept_enabled(enabled)
        if not (enabled or self.alive):
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, time.monotonic() + LEAVE_SECONDS)
            for listener in self.sockets:
                listener.close()

    def _wait_with(self, conn: Any, waiting: deque[Any], seconds: float, then: Any) -> None:
        conn.sock.settimeout(0)
        conn.timeout = time.monotonic() + seconds
        waiting.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(then, conn))

    def _not_heard(self, conn: Any, sock: socket.socket) -> None:
        try:
            size = len(sock.recv(65536))
        except BlockingIOError:
            return
        except OSError:
            size = 0
        conn.unheard += size
        if not size or conn.unheard > _UNHEARD_BYTES:
            self._leave(conn)

    def _leave(self, conn: Any) -> None:
        self._leaving.remove(conn)
        self.poller.unregister(conn.sock)
        self._end(conn)

    def _end(self, conn: Any) -> None:
        self.nr_conns -= 1
        conn.close()


class ServerLog(gunicorn.glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """What the web server says of itself, among the other lines."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn before anything is loaded, and when it loads again."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def write_error(client: socket.socket, status: int, reason: str, _text: str) -> None:
    """In place of gunicorn's own, which answers HTML with what it was sent in it."""
    # What it asks to be called by was not read either.
    with under():
        body = json.dumps(refusal_body(status, f"{reason}.")).encode()
        headers = {
            "Connection": "close",
            "Content-Type": "application/json",
            "Content-Length": len(body),
            HEADER: request_id(),
            "Cache-Control": "no-store",
            **ALWAYS,
        }
        log.info("request", extra={"route": "(refused unread)", "status": status})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n"
    gunicorn.util.write_nonblock(client, head.encode() + body)


gunicorn.util.write_error = write_error
