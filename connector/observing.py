"""What tells of the product to operators: metrics, traces, error reports; chosen by the settings."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import requests

from connector import __version__
from connector.adapters.clock import SystemClock
from connector.adapters.measured import Measure
from connector.adapters.metrics import CONTENT_TYPE, Metrics
from connector.adapters.profiles import ProfileClient
from connector.config import Settings, SettingsError
from connector.web.metrics import Scrape, metrics_app


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
    """Answers `/metrics` beside the worker until the process ends."""
    # Here, as no web server of ours needs it. It writes a line for each request.
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    application = metrics_app(scrape(settings, metrics.text))
    try:
        server = make_server(settings.host, port, application, threaded=True)
    except (OSError, SystemExit) as exc:
        raise SettingsError(
            f"The setting WORKER_METRICS_PORT is wrong: can't listen on {settings.host}, port {port}."
        ) from exc
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def scrape(settings: Settings, text: Callable[[], bytes]) -> Scrape:
    """The page of metrics, for whoever may read it."""
    return Scrape(
        text, CONTENT_TYPE, token=settings.connector_metrics_token, is_open=not settings.is_live
    )
