"""Deliveries: what an answer means, and when the next try is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.deliveries import (
    DEAD,
    DELIVERED,
    PENDING,
    SCHEDULE,
    ClaimedDelivery,
    Outcome,
    Try,
    beginning_of,
    judge,
    next_pause,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def claimed(attempt: int = 0, failing_since: datetime | None = None) -> ClaimedDelivery:
    return ClaimedDelivery(
        1, "t", "s", "msg_1", "https://x.example", "", b"{}", attempt, failing_since
    )


@pytest.mark.parametrize(
    ("random", "factor"), [(0.0, 0.8), (0.5, 1.0), (0.75, 1.1)], ids=["early", "mid", "late"]
)
def test_schedule_has_ten_tries_and_a_little_jitter(random: float, factor: float) -> None:
    """Over about 75 hours; many that failed together don't come back together."""
    pauses = [next_pause(n, None, random=lambda: random) for n in range(len(SCHEDULE))]
    assert pauses == [step * factor for step in SCHEDULE]
    assert sum(SCHEDULE, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert next_pause(len(SCHEDULE), None, random=lambda: random) is None


@pytest.mark.parametrize(("asked", "seconds"), [(1, 5), (5, 5), (8, 8), (10, 10), (3600, 10)])
def test_what_the_receiver_asks_for_counts_within_bounds(asked: int, seconds: int) -> None:
    assert next_pause(0, asked, random=lambda: 0.0) == timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judge(claimed(), Outcome(status), NOW, random=lambda: 0.5).state == DELIVERED


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 401, 404, 413, 500, 503])
def test_anything_else_is_tried_again(status: int | None) -> None:
    verdict = judge(claimed(), Outcome(status), NOW, random=lambda: 0.5)
    assert (verdict.state, verdict.due_at) == (PENDING, NOW + timedelta(seconds=5))
    assert verdict.throttled_until is verdict.disable is None


@pytest.mark.parametrize("status", [429, 502, 504])
def test_busy_receiver_is_left_alone(status: int) -> None:
    """With everything that waits for it, and no other receiver."""
    outcome = Outcome(status, retry_after_seconds=9)
    verdict = judge(claimed(), outcome, NOW, random=lambda: 0.5)
    assert verdict.throttled_until == verdict.due_at == NOW + timedelta(seconds=9)


@pytest.mark.parametrize(("asked", "pause"), [(None, 5), (9, 9), (7200, 3600)])
def test_late_try_holds_up_the_others_no_longer_than_asked(asked: int | None, pause: int) -> None:
    """Its own next try may be a day away."""
    verdict = judge(claimed(8), Outcome(429, retry_after_seconds=asked), NOW, random=lambda: 0.5)
    assert verdict.throttled_until == NOW + timedelta(seconds=pause)


def test_410_ends_the_subscription_at_once() -> None:
    verdict = judge(claimed(), Outcome(410), NOW, random=lambda: 0.5)
    assert verdict.state == DEAD
    assert verdict.disable == "The receiver answered 410: it wants no more."


def test_last_try_leaves_a_dead_letter() -> None:
    verdict = judge(claimed(attempt=9), Outcome(500), NOW, random=lambda: 0.5)
    assert (verdict.state, verdict.disable) == (DEAD, None)


@pytest.mark.parametrize(("days", "ends"), [(0, False), (4.99, False), (5, True), (9, True)])
def test_five_days_of_failures_end_the_subscription(days: float, ends: bool) -> None:
    failing_since = NOW - timedelta(days=days)
    verdict = judge(claimed(2, failing_since), Outcome(500), NOW, random=lambda: 0.5)
    assert (verdict.disable is not None) is ends


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", None),
        (b"OK", "OK"),
        (b"\xff\x00 gone", "\ufffd\ufffd gone"),
        ("é".encode() * 1001, "é" * 1000),
        ("😀".encode() * 1001, "😀" * 1000),
        (b"a" + "😀".encode() * 1001, "a" + "😀" * 999),
        (b"\x1f\x8b" * 40_000, "\x1f\ufffd" * 500),
    ],
    ids=["nothing", "text", "no text", "two bytes", "four bytes", "cut in half", "long"],
)
def test_beginning_of_an_answer_is_text(body: bytes, text: str | None) -> None:
    """Whatever a receiver answers, it can be kept in either database, and shown."""
    assert beginning_of(body) == text


def test_answer_is_in_no_repr() -> None:
    """Nor is it in a log: a receiver may repeat what it was sent."""
    assert "planted" not in repr(Outcome(200, answer="planted"))
    assert "planted" not in repr(Try(NOW, 1, 200, None, "planted"))
