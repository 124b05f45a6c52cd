"""Writes behind an answer: many at a time, in order, none lost but with the process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from threading import Event

import pytest
from sqlalchemy.exc import OperationalError

from tests.running import ROOT
from wire import behind
from wire.behind import Behind


class Kept:
    """Remembers what was written; fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gone = False
        self.refused: set[int] = set()
        self.tried = Event()

    def __call__(self, batch: Sequence[int]) -> None:
        try:
            if self.gone:
                raise OperationalError("INSERT", {}, Exception("gone"))
            if self.refused.intersection(batch):
                raise ValueError("refused")
            self.batches.append(list(batch))
        finally:
            self.tried.set()

    @property
    def written(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


def test_what_is_added_is_written_together_and_in_order() -> None:
    kept = Kept()
    writes = Behind(kept)
    for number in range(50):
        writes.add(number)
    writes.flush()
    assert kept.written == list(range(50))
    assert len(kept.batches) < 50


def test_nobody_has_to_flush() -> None:
    kept = Kept()
    Behind(kept).add(1)
    assert kept.tried.wait(10)
    assert kept.batches == [[1]]


def test_what_is_refused_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    kept.refused = {1}
    writes = Behind(kept)
    for number in range(3):
        writes.add(number)
    writes.flush()
    assert kept.batches == [[0], [2]]
    assert caplog.messages == ["a write was dropped"]


def test_database_that_is_gone_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "PAUSE_SECONDS", 0.02)
    kept = Kept()
    kept.gone = True
    writes = Behind(kept)
    writes.add(0)
    assert kept.tried.wait(10)
    writes.add(1)
    with pytest.raises(OperationalError):
        writes.flush()
    kept.tried.clear()
    kept.gone = False
    assert kept.tried.wait(10)
    writes.flush()
    assert kept.written == [0, 1]


def test_as_many_wait_as_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(behind, "GATHER_SECONDS", 60)
    monkeypatch.setattr(behind, "MAX_WAITING", 3)
    kept = Kept()
    kept.gone = True
    writes = Behind(kept)
    for number in range(5):
        writes.add(number)
    kept.gone = False
    writes.flush()
    assert kept.written == [2, 3, 4]
    assert "a write was dropped: more than 3 wait for the database" in caplog.messages


def test_regular_exit_writes_what_waits() -> None:
    program = (
        "from wire.behind import Behind; Behind(lambda batch: print(batch, flush=True)).add('last')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.stdout, ended.returncode) == ("['last']\n", 0)
