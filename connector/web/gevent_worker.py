"""The web server's worker with a greenlet for each connection in place of a thread for each look-up.

gunicorn patches the process before it loads the application. It has imported this file earlier, so
nothing here may bring `requests`, SQLAlchemy or psycopg with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gunicorn.workers.ggevent import GeventWorker

from connector.web.worker import Discreet


class DiscreetGeventWorker(Discreet, GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """As `DiscreetWorker`, also in that connections without a request don't hold up the end."""

    def init_process(self) -> None:
        """Called by gunicorn in the new process."""
        self._idle: dict[gevent.Timeout, gevent.Greenlet] = {}
        self._idle_before: set[gevent.Timeout] = set()
        super().init_process()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Called by gunicorn around the wait for a request; leaves it when that took too long."""
        with gevent.Timeout(self.cfg.keepalive, False) as timeout:  # noqa: FBT003  # silent
            self._idle[timeout] = gevent.getcurrent()
            try:
                yield
            finally:
                del self._idle[timeout]

    def notify(self) -> None:
        """Called by gunicorn each second, also while it waits for what is in flight."""
        super().notify()
        if not self.alive:
            gevent.get_hub().loop.run_callback(self._leave, self._idle_before)
            # They have a second: a request may be on its way.
            self._idle_before = set(self._idle)

    def _leave(self, waits: set[gevent.Timeout]) -> None:
        # In the hub, where none of them can go on meanwhile.
        for timeout in waits & self._idle.keys():
            self._idle[timeout].throw(timeout)
