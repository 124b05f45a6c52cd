"""Request bodies, whole or not at all: what was cut off or is malformed counts as a lost connection.

werkzeug answers 400 where reading a body ends in an `OSError` or before its Content-Length.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def whole_bodies(application: WSGIApplication, *, longest: int) -> WSGIApplication:
    """`application`, which never sees half a body nor the server's words on a malformed one.

    A body that comes in chunks is read first and has a length from then on: werkzeug would cut it
    where it is longer than allowed, and take the rest for the whole. Of more than `longest` bytes,
    one byte more is read, which tells.
    """

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A server that vouches for a body's end keeps werkzeug from comparing its length.
        terminated = environ.pop("wsgi.input_terminated", None)
        environ["wsgi.input"] = body = _Body(environ["wsgi.input"])
        if terminated and not environ.get("CONTENT_LENGTH"):
            _give_length(environ, body, longest)
        return application(environ, start_response)

    return wrapped


def _give_length(environ: WSGIEnvironment, body: _Body, longest: int) -> None:
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    try:
        read = body.read(longest + 1)
    except OSError:
        # Said to whoever reads it, in its own way.
        environ["CONTENT_LENGTH"] = "1"
        return
    environ["CONTENT_LENGTH"] = str(len(read))
    environ["wsgi.input"] = BytesIO(read)


class _Body:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._broken = False

    def read(self, size: int = -1) -> bytes:
        if not self._broken:
            try:
                return self._stream.read(size)
            except Exception:  # noqa: BLE001  # the server's own kinds, which quote the body
                self._broken = True
        raise OSError("the request body is malformed or was cut off")
