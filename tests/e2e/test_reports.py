"""Error reports and traces, as a receiver of each gets them from a real server."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from connector.adapters.store.tables import Lookup
from tests.running import FakeUpstream, reply, running_server, serving, until
from tests.watched import database, profile

KEY = "sk_reported_7d1e"
HANDLE = "whoever.it.is"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes whatever is posted, by path."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # its name there
                body = self.rfile.read(int(self.headers["Content-Length"]))
                zipped = self.headers.get("Content-Encoding") == "gzip"
                collector.received.append((self.path, gzip.decompress(body) if zipped else body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.netloc = f"127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[Any]:
        found = []
        for path, body in self.received:
            if path == "/v1/traces":
                export = ExportTraceServiceRequest.FromString(body)
                found += [s for r in export.resource_spans for c in r.scope_spans for s in c.spans]
        return found

    def reports(self) -> list[dict[str, Any]]:
        envelopes = [b for path, b in self.received if path == "/api/1/envelope/"]
        items = [json.loads(line) for e in envelopes for line in e.splitlines() if line]
        return [item for item in items if "exception" in item]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    with serving(collector.server):
        yield collector


def test_what_fails_is_reported_and_traced_without_secrets(
    collector: Collector, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """And a trace goes on from the caller to the upstream. What is left is sent when the server ends."""
    upstream.answers(HANDLE, reply(200, profile(HANDLE)))
    with running_server(
        tmp_path,
        PROFILE_API_URL=upstream.url,
        SENTRY_DSN=f"http://public@{collector.netloc}/1",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.netloc}/",
    ) as server:

        def look_up(handle: str) -> int:
            return requests.post(
                f"{server.url}/make/actions/get_profile",
                json={"handle": handle},
                headers={"X-API-Key": KEY, "traceparent": f"00-{TRACE}-{PARENT}-01"},
                timeout=60,
            ).status_code

        assert look_up(HANDLE) == 200
        with database(f"sqlite:///{tmp_path}/connector.db") as engine:
            Lookup.metadata.tables["lookups"].drop(engine)
        # Another, as what is known in memory is answered all the same.
        assert look_up(f"{HANDLE}.2") == 500
        until(collector.reports)
    (asked,) = upstream.asked_for(HANDLE)
    spans = [s for s in collector.spans() if s.trace_id.hex() == TRACE]
    by_id = {s.span_id.hex(): s for s in spans}
    call = by_id[asked.headers["traceparent"].split("-")[2]]
    assert (call.name, _attributes(call)) == (
        "upstream call",
        {"connector.call": "look_up", "connector.outcome": "ok"},
    )
    served = [s for s in spans if s.parent_span_id.hex() == PARENT]
    assert by_id[call.parent_span_id.hex()] in served
    assert {s.name for s in served} == {"POST /make/actions/get_profile"}
    assert [_attributes(s)["http.response.status_code"] for s in served] == [200, 500]
    assert [s.status.code for s in served] == [0, 2]
    (report,) = collector.reports()
    assert report["exception"]["values"][-1]["type"] == "OperationalError"
    assert not {"request", "user"} & set(report)
    assert report["breadcrumbs"] == {"values": []}
    everything = b"".join(body for _, body in collector.received)
    for secret in (KEY, HANDLE):
        assert secret.encode() not in everything


def _attributes(span: Any) -> dict[str, Any]:
    values = {a.key: a.value for a in span.attributes}
    return {key: v.string_value or v.int_value for key, v in values.items()}
