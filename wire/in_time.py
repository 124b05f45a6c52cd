"""Answers within a time, whoever hangs behind them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class InTime(Generic[T]):
    """Asks in a thread of its own and waits `seconds` at most; raises `TimeoutError` after that.

    Those who come meanwhile wait for the same answer, so that a question that hangs hangs once. An
    answer, or a failure, is good for `fresh_seconds`.
    """

    def __init__(self, ask: Callable[[], T], *, seconds: float, fresh_seconds: float = 0) -> None:
        self._ask = ask
        self._seconds = seconds
        self._fresh_seconds = fresh_seconds
        self._lock = threading.Lock()
        self._asked_at = 0.0
        self._answer: Future[T] | None = None

    def __call__(self) -> T:
        """The answer. Raises what asking raised."""
        return self._flight().result(self._seconds)

    def _flight(self) -> Future[T]:
        with self._lock:
            now = time.monotonic()
            known = self._answer
            if known and (not known.done() or now - self._asked_at < self._fresh_seconds):
                return known
            answer: Future[T] = Future()
            # A daemon: it must not hold up the end of the process either.
            threading.Thread(target=self._run, args=(answer,), daemon=True).start()
            # Once it runs: where there are too many threads, nobody is to wait for one that never did.
            self._answer, self._asked_at = answer, now
            return answer

    def _run(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as exc:  # noqa: BLE001  # crosses to those who wait
            answer.set_exception(exc)
