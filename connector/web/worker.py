"""The web server's worker: what gunicorn refuses by itself is refused in our words, without echoes."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from typing import Any, Final

import gunicorn.util
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from connector.web.errors import refusal_body

log = logging.getLogger("connector.requests")
EXIT_SECONDS: Final = 5


class Discreet:
    """Refuses a malformed request without repeating it: a misspelt header may hold a key."""

    cfg: Any

    def init_process(self) -> None:
        """Called by gunicorn in the new process, which kills it when its own timeout has passed."""
        # So this one waits less long, and ends in order.
        self.cfg.set("graceful_timeout", self.cfg.graceful_timeout - EXIT_SECONDS)
        super().init_process()  # type: ignore[misc]  # mixin: gunicorn's worker

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Called by gunicorn, which logs the exception's text."""
        if isinstance(exc, ParseException):
            texts = {n: "(not shown)" for n, v in vars(exc).items() if isinstance(v, str | bytes)}
            vars(exc).update(texts)
        super().handle_error(req, client, addr, exc)  # type: ignore[misc]  # as above


class DiscreetWorker(Discreet, ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A thread for each look-up. One that ends refuses connections, rather than to let them wait."""

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
            for listener in self.sockets:
                listener.close()


def write_error(client: socket.socket, status: int, reason: str, _text: str) -> None:
    """In place of gunicorn's own, which answers HTML with what it was sent in it."""
    request_id = uuid.uuid4().hex
    body = json.dumps(refusal_body(status, f"{reason}.", request_id)).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"X-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
        f"Cache-Control: no-store\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    log.info("(refused unread) %d request_id=%s", status, request_id)
    gunicorn.util.write_nonblock(client, head.encode() + body)


gunicorn.util.write_error = write_error
