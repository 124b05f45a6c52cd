"""Serving on this machine: starts the web server, says when it is ready, stops it again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time

import click
import requests

from connector.config import Settings

POLL_SECONDS = 0.2
# A closed terminal ends it too, or its server would live on and hold the port.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WELCOME = """
Ready on {address}

Try it:
  {curl}

Next:
  {address}/docs   every route, to read and to try
  README.md and docs/    fields, errors, guides for Zapier, Make and plain HTTP
  Ctrl-C                 stops everything
"""
CURL = """curl -sS {address}/zapier/actions/get_profile \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"handle": "stoolpresidente"}}'"""


def serve_until_stopped(settings: Settings, *, test_key: str | None) -> int:
    """Runs gunicorn until it ends or a signal ends it; answers the exit status.

    Raises `click.ClickException` when the port is taken.
    """
    _check_port_is_free(settings)
    signals: list[int] = []
    for number in STOPPING:
        signal.signal(number, lambda received, _frame: signals.append(received))
    # A session of its own: Ctrl-C reaches us alone, and we ask for a stop that drains.
    command = [sys.executable, "-m", "gunicorn", "app:app"]
    server = subprocess.Popen(command, start_new_session=True)
    ready = False
    while server.poll() is None and not signals:
        if not ready and (ready := _is_ready(settings)):
            click.echo(_welcome(settings, test_key))
        time.sleep(POLL_SECONDS)
    return _stop(server, signals) if signals else server.returncode or 1


def _stop(server: subprocess.Popen[bytes], signals: list[int]) -> int:
    """Lets look-ups in flight finish, unless a second signal says not to wait."""
    server.send_signal(signal.SIGTERM)
    while server.poll() is None:
        if len(signals) > 1:
            server.send_signal(signal.SIGQUIT)
        time.sleep(POLL_SECONDS)
    return 0


def _check_port_is_free(settings: Settings) -> None:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.create_server((settings.host, settings.port), family=family):
            pass
    except OSError as exc:
        raise click.ClickException(
            f"Can't listen on {settings.netloc} ({exc.strerror})."
            " Choose another port: PORT=8001 make run"
        ) from exc


def _is_ready(settings: Settings) -> bool:
    try:
        with requests.Session() as session:
            # A proxy of the environment is for the outside.
            session.trust_env = False
            return session.get(f"{_address(settings)}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def _address(settings: Settings) -> str:
    everywhere = settings.host in ("0.0.0.0", "::")  # noqa: S104  # compared
    return f"http://127.0.0.1:{settings.port}" if everywhere else f"http://{settings.netloc}"


def _welcome(settings: Settings, test_key: str | None) -> str:
    address = _address(settings)
    curl = CURL.format(address=address, key=test_key or "YOUR_KEY")
    return WELCOME.format(address=address, curl=curl)
