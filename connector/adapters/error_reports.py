"""Error reports to Sentry, of what is logged as an error. Imported only where SENTRY_DSN is set.

A report holds the log's line and where in our code it happened: no request, no variables, no bodies.
"""

from __future__ import annotations

import logging

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from connector.domain.masking import redacted


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
        # Foreign exceptions quote what they like.
        before_send=lambda event, _hint: redacted(event),
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
    )
