"""What is measured, each said once: names, labels and help of every metric. Measures nothing itself.

No label holds a handle, a key or an address; what a label can be is bounded by the catalog or the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

# A look-up takes seconds and a cached one milliseconds; a platform's last deadline is a minute.
BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 15, 25, 35, 60)
OUTCOME: Final = "outcome"


# Told apart by what it is: to hash its help at every count takes longer than to count.
@dataclass(frozen=True, eq=False)
class Metric:
    """One metric. A histogram is in seconds; a gauge is read from the database when it is asked for."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


Reading = tuple[Metric, tuple[str, ...], float]
"""A metric with the values of its labels, and its own."""

REQUESTS: Final = Metric(
    "connector_http_requests_total",
    "counter",
    "Requests answered, by the route's rule; what fits no route is (none).",
    ("route", "platform", "method", "status"),
)
REQUEST_SECONDS: Final = Metric(
    "connector_http_request_seconds",
    "histogram",
    "How long requests took.",
    ("platform",),
)
UPSTREAM_SECONDS: Final = Metric(
    "connector_upstream_call_seconds",
    "histogram",
    "Calls of the profile API, a repetition included: a look_up, which may cost credits, or a key_check."
    " The outcome is ok, an error code, or failed.",
    ("call", OUTCOME),
)
CACHE: Final = Metric(
    "connector_cache_lookups_total",
    "counter",
    "Look-ups that may be answered from what is known: a hit was, and a miss asked the profile API.",
    ("result",),
)
LOOK_SECONDS: Final = Metric(
    "connector_watch_look_seconds",
    "histogram",
    "Looks at watched profiles. The outcome is ok, an error code, or failed.",
    (OUTCOME,),
)
TRY_SECONDS: Final = Metric(
    "connector_delivery_try_seconds",
    "histogram",
    "Tries of deliveries. The outcome is delivered, gone (410), throttled (429, 502, 504), refused"
    " (another status), or failed (no answer).",
    (OUTCOME,),
)
DATABASE_UP: Final = Metric(
    "connector_database_up",
    "gauge",
    "Whether the database answered in time; where it is 0, those below are missing.",
)
CREDITS_TODAY: Final = Metric(
    "connector_credits_today",
    "gauge",
    "Credits of today (UTC), all keys together, by what asked: charged, saved, or unsure.",
    ("what", "booked"),
)
WATCHES_DUE: Final = Metric(
    "connector_watches_due",
    "gauge",
    "Watches that workers are to look at by now; 1000 stands for that or more.",
)
WATCH_AGE: Final = Metric(
    "connector_watch_oldest_due_age_seconds",
    "gauge",
    "How long the oldest of them has been due.",
)
PENDING_DELIVERIES: Final = Metric(
    "connector_deliveries_pending",
    "gauge",
    "Deliveries still to be made, those that wait for their next try included.",
)
DELIVERY_AGE: Final = Metric(
    "connector_delivery_oldest_due_age_seconds",
    "gauge",
    "How long the oldest has been due that nothing holds back: no pause, pace or slowness of its receiver.",
)
DEAD_LETTERS: Final = Metric(
    "connector_dead_letters", "gauge", "Deliveries that are not tried any more; replay sends them."
)
SUBSCRIPTIONS: Final = Metric(
    "connector_subscriptions_active", "gauge", "Subscriptions that hear of events."
)
REFUSED_CONNECTIONS: Final = Metric(
    "connector_connections_refused",
    "gauge",
    "API keys that watch profiles and were refused; they are tried again at most a day later.",
)
UNFINISHED_JOBS: Final = Metric("connector_jobs_unfinished", "gauge", "Batches still at work.")
WORKERS_NEEDED: Final = Metric(
    "connector_workers_needed",
    "gauge",
    "1 where a worker is to look for somebody, or a batch is at work, else 0: polls need none.",
)
WORKERS_ALIVE: Final = Metric(
    "connector_workers_alive", "gauge", "Workers that were heard of within the last minute."
)

METRICS: Final = (
    *(REQUESTS, REQUEST_SECONDS, UPSTREAM_SECONDS, CACHE, LOOK_SECONDS, TRY_SECONDS),
    *(DATABASE_UP, CREDITS_TODAY, WATCHES_DUE, WATCH_AGE, PENDING_DELIVERIES, DELIVERY_AGE),
    *(DEAD_LETTERS, SUBSCRIPTIONS, REFUSED_CONNECTIONS, UNFINISHED_JOBS),
    *(WORKERS_NEEDED, WORKERS_ALIVE),
)
