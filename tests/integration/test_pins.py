"""The audit of what is pinned, against a service that knows what the test tells it."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.audit import audit
from tests.running import free_port, serving

KNOWN = {
    "id": "PYSEC-2026-1",
    "summary": "It lets anybody in.",
    "affected": [
        {
            "package": {"name": "flask", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.4"}]}],
        }
    ],
}


class _Service(BaseHTTPRequestHandler):
    status = 200

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vulnerable = (asked["package"]["name"], asked["version"]) == ("flask", "3.1.3")
        answer = json.dumps({"vulns": [KNOWN]} if vulnerable else {}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def service(status: int) -> AbstractContextManager[str]:
    handler = type("Handler", (_Service,), {"status": status})
    return serving(HTTPServer(("127.0.0.1", 0), handler))


CASES = {
    "clean": ("flask==3.1.4", 200, 0, "Audited 1 pins: no known vulnerability."),
    "vulnerable": (
        "flask==3.1.3",
        200,
        1,
        "VULNERABLE: flask 3.1.3, PYSEC-2026-1, mended in 3.1.4",
    ),
    "failing": ("flask==3.1.3", 503, 0, "NOT AUDITED: OSV can't be asked about "),
    "gone": ("flask==3.1.3", None, 0, "NOT AUDITED: OSV can't be asked about "),
    "unpinned": ("flask", 200, 1, ""),
}


@pytest.mark.parametrize(("pin", "status", "ends", "says"), CASES.values(), ids=CASES)
def test_audit_fails_only_on_what_is_known_to_be_vulnerable(
    pin: str,
    status: int | None,
    ends: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And on what can't be understood; a service that can't be asked is said loudly."""
    file = tmp_path / "requirements.txt"
    file.write_text(f"{pin}\n")
    with service(status or 200) as address:
        url = address if status else f"http://127.0.0.1:{free_port()}"
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", url)
        assert audit(str(file)) == ends
    said = capsys.readouterr().out
    assert said.startswith(says)
    assert said or ends
