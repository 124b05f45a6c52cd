"""Wake-ups by Celery on Redis. Imported only where a broker is set, as Celery takes its time.

A message says which row is due, and nothing else. It is acknowledged when it is taken, before the work:
one that is lost with its worker is found by a sweep within seconds, while a late acknowledgement
would only repeat it, long after. Nothing is scheduled here, and no result is kept.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, get_args

from celery import Celery
from celery.worker import WorkController, state
from kombu.exceptions import KombuError
from redis import Redis
from redis.exceptions import RedisError

from connector.domain.ports import Clock, Due

log = logging.getLogger(__name__)
TASK: Final = "connector.wake"
# After a failure, senders don't wait again for so long: the sweeps find what they have not said.
QUIET_SECONDS: Final = 10.0
# Between two attempts to listen where something else than the connection fails.
PAUSE_SECONDS: Final = 5.0
_SETTINGS: Final[dict[str, Any]] = {
    "task_default_queue": "connector",
    # JSON only, as whoever reaches the broker may write to it.
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_acks_late": False,
    # As many as there are threads, so that other machines get theirs.
    "worker_prefetch_multiplier": 1,
    # Nobody asks, and each costs connections and messages.
    "task_ignore_result": True,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    # A worker waits for its broker as long as it takes; a sender not at all.
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_publish_retry": False,
    "broker_transport_options": {
        "max_retries": 0,
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        "socket_keepalive": True,
        # What a killed worker had taken and not begun is handed on after this.
        "visibility_timeout": 600,
    },
    # Only such are stopped as are acknowledged late, which none is; the alternative warns.
    "worker_cancel_long_running_tasks_on_connection_loss": True,
}


def answers(url: str) -> bool:
    """Whether the broker takes what is sent to it; asked once, within seconds."""
    try:
        with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2, retry=None) as broker:
            return bool(broker.ping())
    except (RedisError, OSError):
        return False


class Queue:
    """Wake-ups over the broker at `url`."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._app = Celery("connector", broker=url, set_as_current=False)
        self._app.conf.update(_SETTINGS)
        if url.startswith("rediss:") and "ssl_cert_reqs" not in url:
            self._app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        self._clock = clock
        self._quiet_until: float | None = None

    def send(self, kind: Due, numbers: Sequence[int]) -> None:
        """Says that these are due. A broker that is gone is told of once, and not waited for."""
        quiet_until = self._quiet_until
        if not numbers or (quiet_until and self._clock.monotonic() < quiet_until):
            return
        try:
            with self._app.producer_pool.acquire(block=True) as producer:
                for number in numbers:
                    self._app.send_task(TASK, (kind, number), producer=producer)
        except (KombuError, RedisError, OSError) as exc:
            self._quiet_until = self._clock.monotonic() + QUIET_SECONDS
            if not quiet_until:
                # Not the text, which may hold whatever the server said.
                log.warning("no wake-ups go out (%s); sweeps do without", type(exc).__name__)
            return
        self._quiet_until = None
        if quiet_until:
            log.warning("wake-ups go out again")

    @contextmanager
    def heard(self, wake: Callable[[Due, int], None], *, threads: int) -> Iterator[None]:
        """Calls `wake` with what was sent, in so many threads; at the end what is begun is finished."""
        state.should_stop = None
        stopping = threading.Event()
        listener = threading.Thread(
            target=partial(self._listen, wake, threads, stopping), name="wake-ups"
        )
        listener.start()
        try:
            yield
        finally:
            stopping.set()
            # Asked for by Celery about once a second.
            state.should_stop = 0
            listener.join()

    def _listen(
        self, wake: Callable[[Due, int], None], threads: int, stopping: threading.Event
    ) -> None:
        @self._app.task(name=TASK, shared=False)  # type: ignore[untyped-decorator]  # it has no types
        def wake_up(kind: object, number: object) -> None:
            _checked(wake, kind, number)

        self._app.finalize()
        # Its threads look for the application there.
        self._app.set_default()
        while not stopping.is_set():
            controller = WorkController(
                self._app,
                pool="threads",
                concurrency=threads,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            controller.start()
            stopping.wait(PAUSE_SECONDS)


def _checked(wake: Callable[[Due, int], None], kind: Any, number: Any) -> None:
    """Whoever reaches the broker can send anything; what is no wake-up is dropped."""
    if kind in get_args(Due) and isinstance(number, int) and 0 < number < 2**63:
        wake(kind, number)
    else:
        log.warning("a message that is no wake-up was dropped")
