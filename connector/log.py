"""Log lines: one JSON object each, or coloured text on a terminal. No secret gets through.

Whoever logs uses the standard library, with fields as `extra`; what others log comes the same way.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder
from structlog.typing import EventDict, Processor

from connector.domain.masking import HIDDEN, is_secret_name, masked_line
from connector.domain.trace import request_id
from wire.json_text import to_json
from wire.lines import STDERR, LinesHandler

# Routes, names and sentences come again and again; to search each for secrets costs more than the rest.
_SHORT: Final = 64
_masked_short: Final = lru_cache(maxsize=1024)(masked_line)
_is_secret_name: Final = lru_cache(maxsize=256)(is_secret_name)
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
    for name, value in fields.items():
        told.setdefault(name, HIDDEN if _is_secret_name(name) else _redacted(value))
    return told


def _head(record: logging.LogRecord, event: str) -> EventDict:
    head: EventDict = _stamped(None, "", {})
    head.update(level=record.levelname.lower(), logger=record.name, event=_redacted(event))
    # Harmless already, and never the same.
    if current := request_id():
        head["request_id"] = current
    return head


def _redacted(value: Any) -> Any:
    """`value` as JSON can say it; what it can't is told as text, which is searched for secrets."""
    if isinstance(value, str):
        return _masked_short(value) if len(value) <= _SHORT else masked_line(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {
            _redacted(str(name)): HIDDEN if _is_secret_name(str(name)) else _redacted(one)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(one) for one in value]
    return masked_line(str(value))


def _as_json(_logger: object, _method: str, told: EventDict) -> str:
    try:
        return to_json(told).decode()
    except ValueError:
        # Half an emoji, which is no text to others.
        return json.dumps(told)
