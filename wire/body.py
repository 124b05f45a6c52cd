"""Request bodies, whole or not at all: what was cut off or is malformed counts as a lost connection.

werkzeug answers 400 where reading a body ends in an `OSError` or before its Content-Length.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def whole_bodies(application: WSGIApplication) -> WSGIApplication:
    """`application`, which never sees half a body nor the server's words on a malformed one."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH"):
            # A server that vouches for a body's end keeps werkzeug from comparing its length.
            environ.pop("wsgi.input_terminated", None)
        environ["wsgi.input"] = _Body(environ["wsgi.input"])
        return application(environ, start_response)

    return wrapped


class _Body:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception:  # noqa: BLE001  # the server's own kinds, which quote the body
            raise OSError("the request body is malformed or was cut off") from None
