"""Serving on this machine: starts the web server and the worker, says when they are ready, stops them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import requests

from connector.config import Settings
from wire.shared_folder import VARIABLE, make_shared_folder

POLL_SECONDS = 0.2
# Named, as from another folder gunicorn would not find it, and serve with settings of its own: on every
# interface, with a control socket in the home folder.
_SERVED_BY = str(Path(__file__).parents[1] / "gunicorn.conf.py")
PARTS = (["gunicorn", "--config", _SERVED_BY, "app:app"], ["connector", "work"])
# A closed terminal ends it too, or its server would live on and hold the port.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WELCOME = """
Ready on {address}

Try it:
  {curl}

Next:
  {address}/console   pages to try, watch and see what was sent
  {address}/docs      every route, to read and to try
  README.md and docs/    fields, errors, guides for Zapier, Make and plain HTTP
  Ctrl-C                 stops everything
"""
CURL = """curl -sS {address}/zapier/actions/get_profile \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"handle": "stoolpresidente"}}'"""


def serve_until_stopped(settings: Settings, *, test_key: str | None) -> int:
    """Runs web server and worker until one of them ends or a signal ends both; answers the exit status.

    Raises `click.ClickException` when the port is taken.
    """
    _check_port_is_free(settings)
    signals: list[int] = []
    for number in STOPPING:
        signal.signal(number, lambda received, _frame: signals.append(received))
    # A session of its own: Ctrl-C reaches us alone, and we ask for a stop that drains.
    # What both count is read together.
    environment = {**os.environ, VARIABLE: make_shared_folder()}
    parts = [
        subprocess.Popen([sys.executable, "-m", *words], start_new_session=True, env=environment)
        for words in PARTS
    ]
    ready = False
    while len(_alive(parts)) == len(parts) and not signals:
        if not ready and (ready := _is_ready(settings)):
            click.echo(_welcome(settings, test_key))
        time.sleep(POLL_SECONDS)
    ended = [part.returncode for part in parts if part.returncode is not None]
    _stop(parts, signals)
    return 0 if signals else next(filter(None, ended), 1)


def _stop(parts: Sequence[subprocess.Popen[bytes]], signals: list[int]) -> None:
    """Lets what is in flight finish, unless a second signal says not to wait."""
    for part in _alive(parts):
        part.send_signal(signal.SIGTERM)
    while alive := _alive(parts):
        if len(signals) > 1:
            for part in alive:
                part.send_signal(signal.SIGQUIT)
        time.sleep(POLL_SECONDS)


def _alive(parts: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [part for part in parts if part.poll() is None]


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
