"""A `requests` transport that calls a WSGI application in this process, so that no client differs."""

from __future__ import annotations

import threading
from contextvars import copy_context
from io import BytesIO
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_Answer = tuple[bytes, int, list[tuple[str, str]]]


class WSGIAdapter(BaseAdapter):
    """Mount it on a session for a made-up host. The timeout is a total, as over the network."""

    def __init__(self, application: WSGIApplication) -> None:
        super().__init__()
        self._application = application

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Answers as the application does. Raises `TimeoutError` when it takes too long."""
        timeout = kwargs["timeout"]
        outcome: SimpleQueue[_Answer | BaseException] = SimpleQueue()

        def work() -> None:
            try:
                outcome.put(self._run(request))
            except BaseException as exc:  # noqa: BLE001  # crosses to the waiting thread
                outcome.put(exc)

        # A daemon: an application that hangs must neither hold its caller nor the shutdown.
        threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
        try:
            answer = outcome.get(timeout=timeout.total)
        except Empty as exc:
            raise TimeoutError("the application did not answer in time") from exc
        if isinstance(answer, BaseException):
            raise requests.ConnectionError(request=request) from answer
        return _response(request, *answer)

    def close(self) -> None:
        """Nothing is held open."""

    def _run(self, request: requests.PreparedRequest) -> _Answer:
        builder = EnvironBuilder(
            path=request.path_url,
            base_url=str(request.url).removesuffix(request.path_url),
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=request.body,
        )
        try:
            chunks, status, headers = run_wsgi_app(self._application, builder.get_environ())
            return b"".join(chunks), int(status.split()[0]), list(headers)
        finally:
            builder.close()


def _response(
    request: requests.PreparedRequest, body: bytes, status: int, headers: list[tuple[str, str]]
) -> requests.Response:
    raw = urllib3.HTTPResponse(
        body=BytesIO(body),
        headers=urllib3.HTTPHeaderDict(headers),
        status=status,
        preload_content=False,
    )
    return HTTPAdapter().build_response(request, raw)
