"""What use cases ask of the outside, as shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from connector.domain.answers import Answer, RateLimit
from connector.domain.callers import Caller
from connector.domain.connections import KeptConnection
from connector.domain.deadlines import Deadline
from connector.domain.deliveries import (
    ClaimedDelivery,
    DeliveryState,
    KeptDelivery,
    Outcome,
    Verdict,
)
from connector.domain.errors import ConnectorError
from connector.domain.events import Event
from connector.domain.history import Seen
from connector.domain.idempotency import Attempt, Claim, Remembered
from connector.domain.jobs import Ended, Failure, Job, KeptRow, NewRow, Task
from connector.domain.lookups import Known
from connector.domain.pictures import Picture
from connector.domain.subscriptions import ClaimedWatch, Look, Subscription, Terms, Told, Watched
from connector.domain.usage import Asked, Spent
from connector.domain.watched import Counts, Noticed, WatchedProfile
from connector.domain.webhooks import Call, Standing, Webhook


class Clock(Protocol):
    """Time, wall and monotonic."""

    def now(self) -> datetime:
        """This moment, aware and in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go backwards."""

    def sleep(self, seconds: float) -> None:
        """Waits."""


class Profiles(Protocol):
    """The upstream API, as one caller with one key sees it."""

    def call(self, body: Mapping[str, Any], *, api_key: str, deadline: Deadline) -> Answer:
        """Posts `body` to the documented endpoint. Raises a `ConnectorError` for any failure."""

    def check_key(self, *, api_key: str, request_source: str, deadline: Deadline) -> RateLimit:
        """Asks without a handle, which costs nothing. Raises `InvalidApiKey` for a bad key."""


class Vault(Protocol):
    """Secrets at rest."""

    def seal(self, secret: str) -> str:
        """`secret` as it may be stored."""

    def open(self, sealed: str) -> str:
        """The secret again. Raises `Unreadable`."""

    def renewed(self, sealed: str) -> str | None:
        """The same secret, sealed as it is today; null where it is already. Raises `Unreadable`."""


class LookupStore(Protocol):
    """What look-ups brought, for those who ask the same with the same key."""

    def known(self, connection_id: str, handle: str) -> Known:
        """What the last look-up brought."""

    def claim(
        self, connection_id: str, handle: str, now: datetime, *, lease: timedelta, known: Known
    ) -> str | None:
        """The token of who looks up for all that ask; null where there is more than is `known`."""

    def claim_stale(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        *,
        lease: timedelta,
        max_age: timedelta,
    ) -> str | None:
        """The same for what nobody knows, or knew only before `max_age`; null where one has to look."""

    def keep(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        row: Mapping[str, Any],
        *,
        token: str | None,
        asked: Asked,
    ) -> None:
        """Keeps what a look-up brought, and counts what it cost."""

    def fail(
        self,
        connection_id: str,
        handle: str,
        now: datetime,
        error: ConnectorError,
        *,
        token: str | None,
    ) -> None:
        """Keeps why a look-up brought nothing."""

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes what nobody may ask for any more; how much that was, `limit` at most."""


class UsageStore(Protocol):
    """Credits by connection, day and what asked."""

    def set_aside(self, asked: Asked, credits: int, *, budget: int) -> bool:
        """Takes credits out of the day's budget; false where it would not last."""

    def give_back(self, asked: Asked, credits: int) -> None:
        """Returns what was set aside."""

    def count(self, spent: Mapping[Asked, Spent]) -> None:
        """Adds to what was counted."""

    def counted(self, connection_id: str, *, month: str) -> dict[str, dict[str, Spent]]:
        """What was spent in a month, by what asked and by day."""

    def counted_since(self, connection_ids: Iterable[str], day: str) -> dict[Asked, Spent]:
        """What was spent with several connections from a day on."""

    def forget(self, before_day: str) -> None:
        """Deletes the counts of earlier days."""


class IdempotencyStore(Protocol):
    """Requests by their Idempotency-Key."""

    def claim(self, attempt: Attempt, now: datetime, *, lease: timedelta) -> str | None:
        """The token of who is to do it; null where it is done, or being done, or another request."""

    def known(self, attempt_id: str) -> Remembered | None:
        """What is known of the key."""

    def finish(self, claim: Claim, status: int, sealed: str) -> None:
        """Keeps the answer."""

    def release(self, claim: Claim) -> None:
        """Forgets the attempt."""

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes what was begun before; how much that was, `limit` at most."""


class Looker(Protocol):
    """Looks at claimed watches."""

    def look(self, watch: ClaimedWatch, caller: Caller | None = None) -> ConnectorError | None:
        """Looks at the profile and keeps what follows; answers what went wrong. Never raises."""


class WatchStore(Protocol):
    """What is watched, and what was seen. Claims end by themselves; what is completed is fenced."""

    def claim_for(
        self, subscription_id: str, now: datetime, *, lease: timedelta, limit: int
    ) -> list[ClaimedWatch]:
        """Due watches of one subscription."""

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[ClaimedWatch]:
        """Due watches of subscriptions that are delivered, or in the console."""

    def claim_one(self, watch_id: int, now: datetime, *, lease: timedelta) -> ClaimedWatch | None:
        """This one, where `claim_due` might claim it."""

    def due_of(self, subscription_id: str, now: datetime) -> list[int]:
        """The ids of the subscription's watches that are due."""

    def complete(self, watch: ClaimedWatch, look: Look) -> list[int] | None:
        """Keeps a look; answers the deliveries that follow, or null where the claim was lost."""

    def put_off(
        self, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str | None
    ) -> bool:
        """Gives a claim back without a look; false where it was lost."""

    def refuse(self, watch: ClaimedWatch, *, until: datetime, attempt: int, problem: str) -> None:
        """The same for all that is watched with its key, which was refused."""

    def set_aside(self, connection_id: str, day: str, credits: int, *, budget: int) -> bool:
        """Takes credits out of the day's budget; false where it would not last."""

    def give_back(self, connection_id: str, day: str, credits: int) -> None:
        """Returns what was set aside."""

    def spent(self, connection_id: str, day: str) -> int:
        """Credits spent, or set aside, on a day."""

    def watched_by(self, subscription_id: str, now: datetime) -> list[Watched]:
        """What is known of the subscription's profiles."""

    def told(self, subscription_id: str, *, limit: int, before: int | None) -> list[Told]:
        """The newest events of a subscription, newest first, below the sequence `before`."""


class WatchedStore(Protocol):
    """What a person sees of watches, and changes there."""

    def watch(
        self, connection_id: str, terms: Terms, *, interval_seconds: int, now: datetime
    ) -> str:
        """The id of the console's subscription to one profile, made where there is none."""

    def pause(self, connection_id: str, handle: str, now: datetime) -> None:
        """Nobody looks from now on."""

    def resume(self, connection_id: str, handle: str, now: datetime) -> int | None:
        """Ends a pause; the id of the watch, or null where it was not paused."""

    def listed(self, connection_id: str, *, limit: int) -> list[WatchedProfile]:
        """The connection's watched profiles, by handle."""

    def find(self, connection_id: str, handle: str) -> WatchedProfile | None:
        """The connection's watched profile with this handle."""

    def intervals(self, connection_id: str) -> list[int]:
        """The interval, in seconds, of every watch that workers look at."""


class SeriesStore(Protocol):
    """What charts of a watch show."""

    def looks(self, watch_id: int, *, since: datetime, limit: int) -> list[Counts]:
        """Looks since a moment, oldest first, thinned to `limit`."""

    def noticed(
        self, watch_id: int, id_prefix: str, *, since: datetime, limit: int
    ) -> list[Noticed]:
        """The newest events of a watch, newest first, each once."""


class SubscriptionStore(Protocol):
    """Who asked for what."""

    def connect(self, connection_id: str, *, platform: str, sealed_key: str, now: datetime) -> None:
        """Keeps a connection's key."""

    def is_refused(self, connection_id: str) -> bool:
        """Whether the connection's key was refused, and has not been good since."""

    def accept(self, connection_id: str, now: datetime) -> None:
        """What is watched with the key goes on, as it is good."""

    def subscribe(
        self,
        connection_id: str,
        terms: Terms,
        *,
        interval_seconds: int,
        due_at: Iterable[datetime],
        now: datetime,
        target_url: str | None = None,
        sealed_secrets: str | None = None,
    ) -> str:
        """Makes a subscription; answers its id."""

    def polled(self, connection_id: str, terms: Terms) -> Subscription | None:
        """The polled subscription with exactly these terms."""

    def find(self, connection_id: str, subscription_id: str) -> Subscription | None:
        """The connection's subscription with this id."""

    def owns(self, connection_id: str, subscription_id: str) -> bool:
        """Whether it is the connection's, also where it carries a webhook's rows or a job's callback."""

    def delivered(self, connection_id: str) -> list[Subscription]:
        """The connection's subscriptions that have a target."""

    def rotate(
        self,
        connection_id: str,
        subscription_id: str,
        renewed: Callable[[str], str],
        now: datetime,
    ) -> bool:
        """Replaces the sealed secrets by what `renewed` makes of them; false when there are none."""

    def unsubscribe(self, connection_id: str, subscription_id: str, now: datetime) -> bool:
        """Ends a subscription; false when there is none."""


class ConnectionStore(Protocol):
    """All that is kept for one API key on one platform."""

    def listed(self, connection_ids: Sequence[str] | None = None) -> list[KeptConnection]:
        """What is kept, of all connections or of some."""

    def begin_deleting(self, connection_id: str, platform: str, now: datetime) -> bool:
        """Takes the key away, and lets nothing be made any more; false where nothing is kept."""

    def being_deleted(self) -> list[str]:
        """Connections whose deletion has begun and not ended."""

    def delete_piece(self, connection_id: str, now: datetime) -> int | None:
        """Deletes a few rows; how many, null once all are gone."""

    def forget_idle(self, before: datetime, now: datetime, *, limit: int) -> int:
        """Deletes the keys of connections, made before, for which there is nothing any more."""


class AuditStore(Protocol):
    """Who changed what."""

    def forget(self, before: datetime, *, limit: int) -> int:
        """Deletes lines that are older; how many that was, `limit` at most."""


class Sender(Protocol):
    """Sends to receivers."""

    def send(
        self,
        *,
        target_url: str,
        body: bytes,
        webhook_id: str,
        secrets: Sequence[str],
        now: datetime,
    ) -> Outcome:
        """What the receiver answered to `body`, signed with each of `secrets`."""


class DeliveryStore(Protocol):
    """What is on its way."""

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[ClaimedDelivery]:
        """Due deliveries, a few to each receiver."""

    def claim_one(
        self, sequence: int, now: datetime, *, lease: timedelta
    ) -> ClaimedDelivery | None:
        """This one, where `claim_due` might claim it."""

    def complete(
        self,
        delivery: ClaimedDelivery,
        outcome: Outcome,
        verdict: Verdict,
        now: datetime,
        *,
        milliseconds: int,
    ) -> bool:
        """Keeps a try, and what became of the delivery; false where the claim was lost."""

    def listed(
        self,
        connection_id: str | None,
        *,
        state: str | None,
        limit: int,
        subscription_id: str | None = None,
    ) -> list[DeliveryState]:
        """The newest deliveries, of one connection or of all; of one subscription, where it is given."""

    def find(self, connection_id: str, sequence: int, *, tries: int) -> KeptDelivery | None:
        """The connection's delivery, with its newest `tries`."""

    def test(
        self, subscription_id: str, event: Event, now: datetime, *, pause: timedelta
    ) -> int | None:
        """Sends `event`, or the test that still waits, again; null within `pause` of the last one."""

    def send(self, subscription_id: str, event: Event, now: datetime) -> int | None:
        """Keeps `event` and its delivery; the sequence, null where the subscription is gone."""

    def give_up(self, now: datetime, *, limit: int) -> int:
        """Ends what waits for a disabled subscription, `limit` at most; how much it was."""

    def replay(self, sequence: int, now: datetime, *, connection_id: str | None = None) -> bool:
        """Sends a delivery again; false where there is none that has ended."""

    def replay_dead(
        self, connection_id: str, now: datetime, *, subscription_id: str | None, limit: int
    ) -> tuple[list[int], int]:
        """Sends up to `limit` dead deliveries again; which, and how many are left."""


class WebhookStore(Protocol):
    """Incoming webhooks."""

    def add(self, webhook: Webhook, token_hash: str) -> None:
        """Keeps a new webhook."""

    def by_token(self, token_hash: str) -> Standing | None:
        """The webhook whose token has this hash."""

    def find(self, connection_id: str, webhook_id: str) -> Standing | None:
        """The connection's webhook with this id."""

    def listed(self, connection_id: str | None) -> list[Standing]:
        """The webhooks of one connection or of all, oldest first."""

    def renew(
        self,
        connection_id: str,
        webhook_id: str,
        token_hash: str,
        sealed_secret: str | None,
        now: datetime,
        *,
        renewed: Callable[[str], str],
    ) -> bool:
        """Puts a token and secrets in place of those before; false where there are none."""

    def delete(self, connection_id: str | None, webhook_id: str, now: datetime) -> bool:
        """Ends a webhook; false when there is none."""

    def count_request(self, webhook_id: str, now: datetime) -> bool:
        """Counts one request; false, and not counted, beyond what a minute allows."""

    def set_aside(self, webhook_id: str, day: str, credits: int) -> bool:
        """Takes credits out of the day's budget; false where it would not last."""

    def give_back(self, webhook_id: str, day: str, credits: int) -> None:
        """Returns what was set aside."""

    def keep_call(self, webhook_id: str, call: Call, *, a_minute: int | None) -> None:
        """Keeps a call; of those without a handle and with its error, so many a minute."""

    def calls(self, webhook_id: str) -> list[Call]:
        """The newest calls, newest first."""


class HistoryStore(Protocol):
    """What was seen, for as long as it is kept."""

    def looks(
        self,
        connection_id: str,
        handle: str,
        *,
        since: datetime | None,
        until: datetime | None,
        before: int | None,
        limit: int,
    ) -> list[Seen] | None:
        """The newest looks, newest first; null where the connection does not watch the profile."""

    def forget_before(self, moment: datetime, *, limit: int) -> int:
        """Deletes up to `limit` looks, and as many events, that are older; how many there were."""


class JobStore(Protocol):
    """Batches. Claims of rows end by themselves; what is completed is fenced."""

    def start(
        self,
        connection_id: str,
        rows: Iterable[NewRow],
        now: datetime,
        *,
        max_age_seconds: int,
        callback_id: str | None,
        lease: timedelta | None,
    ) -> tuple[str, list[Task]]:
        """Keeps a job; its id and, with a `lease`, its rows that are to be looked up, claimed."""

    def due_of(self, job_id: str, *, limit: int) -> list[int]:
        """The numbers of the job's first rows that are pending."""

    def claim_due(self, now: datetime, *, lease: timedelta, limit: int) -> list[Task]:
        """Rows that are due, a few of each job."""

    def claim_one(self, number: int, now: datetime, *, lease: timedelta) -> Task | None:
        """This one, where `claim_due` might claim it."""

    def ending_of(self, job_id: str) -> Failure | None:
        """Why the job has come to an end; null while it goes on."""

    def complete(self, task: Task, ended: Ended, now: datetime) -> list[int] | None:
        """Keeps how a row ended; answers the deliveries that follow, or null where the claim was lost."""

    def put_off(self, task: Task, *, until: datetime, attempt: int, all_rows: bool = False) -> None:
        """Gives a claim back; with `all_rows` the whole job waits."""

    def stop(self, job_id: str, state: str, reason: Failure, now: datetime) -> list[int]:
        """Ends a job early; answers the deliveries that follow."""

    def find(self, connection_id: str, job_id: str) -> Job | None:
        """The connection's job with this id."""

    def listed(self, connection_id: str, *, limit: int) -> list[Job]:
        """The connection's newest jobs, newest first."""

    def rows(
        self, job_id: str, *, after: int, limit: int, max_characters: int
    ) -> tuple[list[KeptRow], int | None]:
        """Rows behind the position `after`, and the cursor to more."""

    def forget(self, before: datetime) -> int:
        """Deletes a few jobs that ended before; how many there were."""


class PictureSource(Protocol):
    """Where pictures are."""

    def fetch(self, url: str) -> Picture | None:
        """The picture at `url`; null where there is none to be had."""


class VisitStore(Protocol):
    """Who is signed in to the console, by the hash of their token."""

    def add(
        self,
        visit_id: str,
        connection_id: str,
        sealed_key: str,
        now: datetime,
        *,
        until: datetime,
        at_most: int,
    ) -> None:
        """Keeps a visit, and `at_most` so many with one key."""

    def find(self, visit_id: str, now: datetime) -> str | None:
        """The sealed key of a visit that is not over."""

    def end(self, visit_id: str) -> None:
        """Forgets a visit."""

    def forget(self, now: datetime, *, limit: int) -> int:
        """Deletes visits that are over; how many that was, `limit` at most."""


class WorkerStore(Protocol):
    """Which workers are alive."""

    def beat(self, name: str, now: datetime) -> None:
        """Says that a worker is alive."""

    def leave(self, name: str) -> None:
        """Says that a worker has ended."""

    def are_alive(self, now: datetime) -> bool:
        """Whether there is one."""


Due = Literal["delivery", "watch", "row"]
"""What a wake-up may be about."""


class Wakeups(Protocol):
    """Word to workers, wherever they run, of what is due.

    May be lost, late or repeated: the database says what is due, and workers ask it themselves.
    """

    def send(self, kind: Due, numbers: Sequence[int]) -> None:
        """Says that these are due, once that is kept. Never raises, and never waits for long."""

    def heard(
        self, wake: Callable[[Due, int], None], *, threads: int
    ) -> AbstractContextManager[None]:
        """Calls `wake` with what was sent, in so many threads, while the context lasts."""
