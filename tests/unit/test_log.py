"""Every line is one JSON object, and no secret is in it, through whatever door it came."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import requests
from gunicorn.config import Config
from sqlalchemy import text

from connector.domain.trace import under
from connector.log import Lines
from connector.web.worker import ServerLog
from tests.running import ROOT, clean_environment
from tests.watched import database
from wire.lines import LinesHandler

PLANTED = "pLaNtEd7c1f5e0b9a2d4c6e8f"
KEY = f"sk_{PLANTED}"
CALLBACK = f"http://127.0.0.1:1/catch/{PLANTED}/of-somebody"


def raising(log: logging.Logger, error: Callable[[], object]) -> None:
    try:
        error()
    except Exception:
        log.exception("it failed")


def fail(exc: BaseException, cause: BaseException | None = None, note: str = "") -> None:
    exc.add_note(note)
    raise exc from cause


def break_a_rule() -> None:
    with database("sqlite:///") as engine, engine.connect() as session:
        session.execute(text("CREATE TABLE kept (target_url TEXT CHECK (target_url = ''))"))
        session.execute(text("INSERT INTO kept VALUES (:url)"), {"url": f"bare-{PLANTED}"})


class Shown:
    def __str__(self) -> str:
        return KEY


DOORS: dict[str, Callable[[logging.Logger], object]] = {
    "message": lambda log: log.info(f"called with {KEY}"),
    "args": lambda log: log.info("called with %s", KEY),
    "args of the wrong kind": lambda log: log.info("called %d times", KEY),
    "field": lambda log: log.info("called", extra={"body": f'{{"token": "{PLANTED}"}}'}),
    "field by its name": lambda log: log.info("called", extra={"webhook_token": PLANTED}),
    "nested field": lambda log: log.info(
        "called", extra={"sent": [{"headers": {"X-API-Key": PLANTED}}, {KEY: (KEY,)}]}
    ),
    "object": lambda log: log.info("called", extra={"with_what": Shown(), "raw": KEY.encode()}),
    "address": lambda log: log.info("sent to %s", CALLBACK),
    "address in JSON": lambda log: log.info(json.dumps({"u": CALLBACK}).replace("/", "\\/")),
    "address with a password": lambda log: log.info(f"redis://:{PLANTED}@host:6379/0"),
    "exception": lambda log: raising(log, lambda: fail(ValueError(KEY))),
    "chained exception": lambda log: raising(
        log, lambda: fail(RuntimeError("outer"), ValueError(KEY))
    ),
    "note of an exception": lambda log: raising(log, lambda: fail(ValueError("x"), note=KEY)),
    "group of exceptions": lambda log: raising(
        log, lambda: fail(ExceptionGroup("all", [ValueError(KEY)]))
    ),
    "parameters of a statement": lambda log: raising(log, break_a_rule),
    "detail of a statement": lambda log: raising(
        log, lambda: fail(ValueError(f"DETAIL:  Key (target_url)=({CALLBACK}) already exists."))
    ),
    "address that nobody answers": lambda log: raising(
        log, lambda: requests.get(CALLBACK, timeout=5)
    ),
    "address that is none": lambda log: raising(
        log, lambda: requests.get(f"http://[bad/{PLANTED}", timeout=5)
    ),
}


@pytest.fixture(params=[False, True], ids=["json", "pretty"])
def pretty(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def logger(name: str, *, pretty: bool = False) -> logging.Logger:
    handler = LinesHandler()
    handler.setFormatter(Lines(pretty=pretty))
    made = logging.Logger(name)
    made.addHandler(handler)
    return made


@pytest.mark.parametrize("door", DOORS)
def test_no_secret_gets_into_a_line(
    door: str, *, pretty: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor a part of one; and the line is still there, whole and by itself."""
    DOORS[door](logger("doors", pretty=pretty))
    said = capfd.readouterr()
    assert said.out == ""
    assert not any(PLANTED[n : n + 8] in said.err for n in range(len(PLANTED) - 7)), said.err
    if not pretty:
        (line,) = said.err.splitlines()
        assert list(json.loads(line))[:4] == ["timestamp", "level", "logger", "event"]


def test_line_holds_its_fields_and_the_id(capfd: pytest.CaptureFixture[str]) -> None:
    """As they were given; what JSON can't say, as text. The fields of the line itself stay."""
    log = logger("connector.requests")
    with under("trace-1234"):
        log.warning("half an emoji \ud83d", extra={"status": 200, "big": 10**20, "level": "x"})
    log.info("later", extra={"list": [1, None, True, {2: 0.5}]})
    first, second = map(json.loads, capfd.readouterr().err.splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "connector.requests",
        "event": "half an emoji \ud83d",
        "request_id": "trace-1234",
        "status": 200,
        "big": 10**20,
    }
    assert (second["list"], "request_id" in second) == ([1, None, True, {"2": 0.5}], False)


def test_web_server_has_no_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """Nor after it has loaded its settings again."""
    log = ServerLog(Config())
    log.setup(Config())
    assert not log.error_log.handlers
    log.error("Error handling request %s", "/x")
    assert "Error handling request /x" in caplog.messages


LOGS = """
import logging
from connector.log import start_log
start_log("INFO")
start_log("INFO")
logging.getLogger("somebody.else").info("said once")
"""


def test_lines_are_for_people_only_on_a_terminal() -> None:
    """And each is written once, however often the log was started."""

    def said(stderr: int) -> None:
        subprocess.run(
            [sys.executable, "-c", LOGS],
            cwd=ROOT,
            env=clean_environment(),
            stderr=stderr,
            check=True,
        )

    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb") as seen, os.fdopen(theirs, "wb"):
        said(theirs)
        shown = seen.read1(4096)
    assert (shown.count(b"said once"), b"\x1b[" in shown) == (1, True)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as seen, os.fdopen(writing, "wb"):
        said(writing)
        line: dict[str, Any] = json.loads(seen.read1(4096))
    assert (line["logger"], line["event"]) == ("somebody.else", "said once")
