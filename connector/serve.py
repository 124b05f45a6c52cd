"""Serving on this machine: starts the web server, says when it is ready, stops it again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from types import FrameType

import click
import requests

from connector.config import Settings

READY_WITHIN_SECONDS = 30.0
POLL_SECONDS = 0.2

WELCOME = """
Ready on {address}

Try it:
  {curl}

Next:
  {address}/            lists every route
  README.md   has the fields, the errors and handles that fail on purpose
  Ctrl-C                    stops everything
"""
CURL = """curl -sS {address}/zapier/actions/get_profile \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"handle": "stoolpresidente"}}'"""


def serve_until_stopped(settings: Settings, *, test_key: str | None) -> int:
    """
    Runs gunicorn until it ends or a signal ends it; answers the exit status.

    Raises `click.ClickException` when the port is taken.
    """
    _check_port_is_free(settings)
    # A session of its own: Ctrl-C reaches us alone, and we ask for a stop that drains.
    server = subprocess.Popen([sys.executable, "-m", "gunicorn", "app:app"], start_new_session=True)
    stopping = _stop_on_signals(server)
    if _wait_until_ready(settings, server):
        click.echo(_welcome(settings, test_key))
    status = server.wait()
    return 0 if stopping else status or 1


def _stop_on_signals(server: subprocess.Popen[bytes]) -> list[int]:
    """SIGTERM to the server at the first signal; the list holds the signals that came."""
    received: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        # A second Ctrl-C does not wait for requests in flight.
        server.send_signal(signal.SIGTERM if len(received) == 1 else signal.SIGQUIT)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return received


def _check_port_is_free(settings: Settings) -> None:
    try:
        with socket.create_server((settings.host, settings.port)):
            pass
    except OSError as exc:
        raise click.ClickException(
            f"Can't listen on {settings.host}:{settings.port} ({exc.strerror})."
            " Choose another port: PORT=8001 make run"
        ) from exc


def _wait_until_ready(settings: Settings, server: subprocess.Popen[bytes]) -> bool:
    ends_at = time.monotonic() + READY_WITHIN_SECONDS
    while server.poll() is None and time.monotonic() < ends_at:
        try:
            if requests.get(f"{_address(settings)}/readyz", timeout=2).ok:
                return True
        except requests.RequestException:
            pass  # not listening yet
        time.sleep(POLL_SECONDS)
    return False


def _address(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104  # compared
    return f"http://{host}:{settings.port}"


def _welcome(settings: Settings, test_key: str | None) -> str:
    address = _address(settings)
    curl = CURL.format(address=address, key=test_key or "YOUR_KEY")
    return WELCOME.format(address=address, curl=curl)
