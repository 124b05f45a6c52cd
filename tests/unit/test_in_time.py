"""A question that hangs holds up nobody for long, and hangs once."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from connector.web.health import health_routes
from wire.in_time import InTime


def test_a_database_that_hangs_is_told_in_time_and_asked_once() -> None:
    """However often a load balancer comes meanwhile; when it is back, so is the process."""
    go, asked = threading.Event(), []

    def hang() -> None:
        asked.append(1)
        go.wait(60)

    app = Flask(__name__)
    check = InTime(hang, seconds=0.01)
    app.register_blueprint(health_routes({"database": check}, {}))
    for _ in range(3):
        answer = app.test_client().get("/readyz")
        assert (answer.status_code, answer.json["status"]) == (503, "not ready")
        assert "no answer in time" in answer.json["checks"]["database"]
    hanging = check._flight()
    go.set()
    assert hanging.result(60) is None
    assert asked == [1]
    assert InTime(lambda: "again", seconds=60)() == "again"


@pytest.mark.parametrize("note", [lambda: "No worker is alive.", lambda: 1 / 0])
def test_a_process_without_a_worker_serves_and_says_degraded(note: object) -> None:
    """Look-ups are answered all the same, so it stays in service."""
    app = Flask(__name__)
    app.register_blueprint(health_routes({"database": lambda: None}, {"worker": note}))
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["database"] == "ok"
    assert answer.json["checks"]["worker"].endswith(".")


def test_an_answer_is_good_for_a_while_and_a_failure_too() -> None:
    answers = iter(range(9))
    fresh = InTime(lambda: next(answers), seconds=60, fresh_seconds=3600)
    assert (fresh(), fresh()) == (0, 0)
    stale = InTime(lambda: next(answers), seconds=60)
    assert (stale(), stale()) == (1, 2)
    failing = InTime(lambda: 1 / next(iter([0])), seconds=60)
    with pytest.raises(ZeroDivisionError):
        failing()
