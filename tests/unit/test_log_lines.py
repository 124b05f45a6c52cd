"""Log lines: whole, on standard error, in every Python that is promised."""

from __future__ import annotations

import logging
import os

import pytest

from wire.lines import LinesHandler


@pytest.fixture
def log() -> logging.Logger:
    logger = logging.Logger("lines")
    logger.addHandler(LinesHandler())
    return logger


def test_lines_come_as_they_are_logged(
    log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    log.info("one %d", 1)
    log.info("cut emoji \ud83d")
    assert capfd.readouterr().err == "one 1\ncut emoji \\ud83d\n"


def test_handler_needs_no_lock(log: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    """From Python 3.13 on, the library's own way to a handler is through its lock."""
    (handler,) = log.handlers
    assert handler.lock is None
    assert type(handler).handle is not logging.Handler.handle
    handler.addFilter(lambda record: "no" not in record.getMessage())
    log.info("yes")
    log.info("no")
    assert capfd.readouterr().err == "yes\n"


def test_line_that_is_taken_in_pieces_is_written_whole(
    log: logging.Logger, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    log.info("a line of some length")
    assert capfd.readouterr().err == "a line of some length\n"
