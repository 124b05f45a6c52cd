"""What tells of the product to operators: metrics, traces, error reports; chosen by the settings."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import requests

from connector import __version__
from connector.adapters.clock import SystemClock
from connector.adapters.measured import Measure
from connector.adapters.metrics import CONTENT_TYPE, Metrics
from connector.adapters.profiles import ProfileClient
from connector.config import Settings
from connector.web.metrics import Scrape, metrics_app

if TYPE_CHECKING:
    from flask import Flask

log = logging.getLogger(__name__)
RETRY_SECONDS: Final = 2.0


def start_reports(settings: Settings) -> None:
    """Starts error reports and traces in this process, where they are asked for."""
    # Imported here, as most do without.
    if settings.sentry_dsn:
        from connector.adapters import error_reports

        error_reports.start(settings.sentry_dsn, version=__version__)
    if settings.otel_exporter_otlp_endpoint:
        from connector.adapters import tracing

        tracing.start(settings.otel_exporter_otlp_endpoint, version=__version__)


def measure_of(settings: Settings, metrics: Metrics) -> Measure:
    """What is told of requests, calls, looks and tries: counts, and traces where they are asked for."""
    if not settings.otel_exporter_otlp_endpoint:
        return metrics
    from connector.adapters.tracing import Tracing

    return Tracing(metrics)


def client(settings: Settings, address: str, session: requests.Session) -> ProfileClient:
    """A client for the profile API, which carries traces on."""
    if settings.otel_exporter_otlp_endpoint:
        from connector.adapters.tracing import Carrying

        session.mount(address, Carrying(session.get_adapter(address)))
    return ProfileClient(address, session=session, clock=SystemClock())


def answer_scrapes(settings: Settings, port: int, metrics: Metrics) -> None:
    """Answers `/metrics` beside the worker until the process ends, as soon as the port is free."""
    serve = partial(_serve, settings, port, metrics_app(scrape(settings, metrics.text)))
    threading.Thread(target=serve, name="metrics", daemon=True).start()


def _serve(settings: Settings, port: int, application: Flask) -> None:
    # Here, as no web server of ours needs it. It writes a line for each request.
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    told = False
    # At an upgrade the version before has it still: work is not to wait for that.
    while not (listener := _listener(settings, port)):
        if not told:
            log.warning("metrics are answered once port %d can be had", port)
        told = True
        time.sleep(RETRY_SECONDS)
    host, fd = settings.host, listener.fileno()
    make_server(host, port, application, threaded=True, fd=fd).serve_forever()


def _listener(settings: Settings, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, port), family=family)
    except OSError:
        return None


def scrape(settings: Settings, text: Callable[[], bytes]) -> Scrape:
    """The page of metrics, for whoever may read it."""
    return Scrape(
        text, CONTENT_TYPE, token=settings.connector_metrics_token, is_open=not settings.is_live
    )
