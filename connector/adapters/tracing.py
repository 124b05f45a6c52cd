"""Tracing by OpenTelemetry, sent over OTLP. Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

What is timed is a span too, with the labels that metrics have: no handle, no key, no address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests.adapters import BaseAdapter

from connector.adapters.measured import Measure, Timed
from connector.domain.metrics import LOOK_SECONDS, REQUEST_SECONDS, Metric

_W3C: Final = TraceContextTextMapPropagator()
_KINDS: Final = {REQUEST_SECONDS: SpanKind.SERVER, LOOK_SECONDS: SpanKind.INTERNAL}
# What callers ask for is none of our failures.
_WELL: Final = ("ok", "delivered", "profile_not_found", "invalid_handle")
# A collector that is gone must not hold up the end of a process for long.
_TIMEOUT_SECONDS: Final = 5


def start(endpoint: str, *, version: str) -> None:
    """Sends spans to `endpoint` from now on, from a thread of this process, and the last at its end."""
    about = Resource.create({"service.name": "profile-connector", "service.version": version})
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_SECONDS)
    provider = TracerProvider(resource=about)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


class Tracing:
    """What goes to `measure`, traced as well. Made before a fork, it waits for `start` after it."""

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._tracer = trace.get_tracer("connector")

    def count(self, metric: Metric, *labels: str) -> None:
        """Counts one."""
        self._measure.count(metric, *labels)

    @contextmanager
    def timed(
        self, metric: Metric, *labels: str, sent: Mapping[str, Any] | None = None
    ) -> Iterator[Timed]:
        """Times the block, in a span; that of a request continues what its caller began."""
        with self._tracer.start_as_current_span(
            _name(metric),
            context=None if sent is None else _begun(sent),
            kind=_KINDS.get(metric, SpanKind.CLIENT),
            # Its text could hold anything.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            timed = Timed()
            try:
                with self._measure.timed(metric, *labels, sent=sent) as timed:
                    yield timed
            finally:
                _describe(span, metric, timed)


class Carrying(BaseAdapter):
    """`transport`, that tells the other side which trace each request belongs to."""

    def __init__(self, transport: BaseAdapter) -> None:
        super().__init__()
        self._transport = transport

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """As `transport` does."""
        _W3C.inject(request.headers)
        return self._transport.send(request, *args, **kwargs)

    def close(self) -> None:
        """Closes `transport`."""
        self._transport.close()


def _name(metric: Metric) -> str:
    return metric.name.removeprefix("connector_").removesuffix("_seconds").replace("_", " ")


def _begun(environ: Mapping[str, Any]) -> Context:
    """What the caller says that the request is part of. Its baggage could hold anything, and is left."""
    given = {
        name: environ.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")
    }
    return _W3C.extract(given, context=Context())


def _describe(span: Span, metric: Metric, timed: Timed) -> None:
    if timed.route:
        span.update_name(f"{timed.method} {timed.route}")
        span.set_attribute("http.request.method", timed.method)
        span.set_attribute("http.route", timed.route)
        span.set_attribute("http.response.status_code", int(timed.status))
        failed = timed.status >= "500"
    else:
        for label, value in zip(metric.labels, timed.labels_of(metric), strict=False):
            span.set_attribute(f"connector.{label}", value)
        failed = timed.outcome not in _WELL
    if failed:
        span.set_status(StatusCode.ERROR)
