"""Error reports to Sentry, of what is logged as an error. Imported only where SENTRY_DSN is set.

A report holds the log's line and where in our code it happened: no request, no variables, no bodies.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from connector.domain.masking import HIDDEN, masked, masked_address

_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+")
# How urllib3 tells what could not be asked for.
_PATH: Final = re.compile(r"(with url: )\S+")


def start(dsn: str, *, version: str) -> None:
    """Reports from now on, from a thread of this process; what is left is sent at its end."""
    sentry_sdk.init(
        dsn=dsn,
        release=version,
        # Nothing by itself: integrations would add requests, their headers, arguments and queries.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR, sentry_logs_level=None),
            # Its own writes to the terminal.
            AtexitIntegration(callback=lambda _pending, _timeout: None),
        ],
        before_send=_discreet,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
    )


def _discreet(event: Any, _hint: Any) -> Any:
    """The event with every text in it as it may be shown: foreign exceptions quote what they like."""
    if isinstance(event, dict):
        return {name: _discreet(value, None) for name, value in event.items()}
    if isinstance(event, list | tuple):
        return [_discreet(value, None) for value in event]
    return shown(event) if isinstance(event, str) else event


def shown(text: str) -> str:
    """`text` without secrets, and addresses without their paths, as a callback's is a secret."""
    text = _ADDRESS.sub(lambda found: masked_address(found[0]), text)
    return masked(_PATH.sub(rf"\1{HIDDEN}", text))
