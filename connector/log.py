"""Log lines: one JSON object each, or coloured text on a terminal. No secret gets through.

Whoever logs uses the standard library, with fields as `extra`; what others log comes the same way.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Final

from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder
from structlog.typing import EventDict, Processor

from connector.domain.masking import masked_line, redacted
from connector.domain.trace import request_id
from wire.json_text import to_json
from wire.lines import STDERR, LinesHandler

_stamped: Final = TimeStamper(fmt="iso", utc=True)
_with_extra: Final = ExtraAdder()
_QUIET: Final = {
    # It reports at every readiness check that it looked.
    "alembic": logging.WARNING,
    # At DEBUG it writes whole addresses, and a callback's address is a secret.
    "urllib3": logging.INFO,
    # They write two lines for each wake-up.
    "celery": logging.WARNING,
    "kombu": logging.WARNING,
}


def start_log(level: str) -> None:
    """Writes what is logged from `level` on to standard error; again, it changes nothing."""
    handler = LinesHandler()
    handler.setFormatter(Lines(pretty=os.isatty(STDERR)))
    logging.basicConfig(level=level, handlers=[handler])
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(least)


class Lines(logging.Formatter):
    """A record as one line, or coloured for people.

    Made of structlog's parts, without its own formatter: to copy each record takes it longer than all
    the rest.
    """

    def __init__(self, *, pretty: bool = False) -> None:
        super().__init__()
        # Exceptions are text by then, without the values of variables.
        people = ConsoleRenderer(exception_formatter=plain_traceback)
        self._render: Processor = people if pretty else _as_json

    def format(self, record: logging.LogRecord) -> str:
        """Called by the library, which would show the arguments of a record that can't be written."""
        try:
            told = _told(record)
        except Exception as exc:  # noqa: BLE001  # whatever it is, the log must not end what it tells of
            told = _head(record, f"a line could not be written: {type(exc).__name__}")
            told["template"] = masked_line(str(record.msg))
        return str(self._render(None, record.levelname.lower(), told))


def _told(record: logging.LogRecord) -> EventDict:
    """What a line holds: the only way to the log, and so the one place where secrets end."""
    told = _head(record, record.getMessage())
    given: EventDict = {"_record": record, "exc_info": record.exc_info}
    fields = format_exc_info(None, "", _with_extra(logging.root, "", given))
    del fields["_record"]
    for name, value in redacted(fields).items():
        told.setdefault(name, value)
    return told


def _head(record: logging.LogRecord, event: str) -> EventDict:
    head: EventDict = _stamped(None, "", {})
    head.update(level=record.levelname.lower(), logger=record.name, event=redacted(event))
    # Harmless already, and never the same.
    if current := request_id():
        head["request_id"] = current
    return head


def _as_json(_logger: object, _method: str, told: EventDict) -> str:
    try:
        return to_json(told).decode()
    except ValueError:
        # Half an emoji, which is no text to others.
        return json.dumps(told)
