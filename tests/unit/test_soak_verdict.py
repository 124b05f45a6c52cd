"""The soak's verdict: each way to lose, repeat or overpay is noticed, and nothing else is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.soak.verdict import Figures, faults

A, B = ("/hook/0", "a"), ("/hook/0", "b")
WELL = Figures(
    posted=frozenset({A, B}),
    arrived=Counter([A, B, B]),
    webhook_ids={A: {"1"}, B: {"2"}},
    unsigned=0,
    undelivered=0,
    polled_posted=frozenset({"q"}),
    polled=frozenset({"q", "sample"}),
    worker_kills=1,
    threads=1,
    looks_paid=5,
    looks_kept=4,
    looks_booked=6,
)


def test_what_kills_explain_is_no_fault() -> None:
    assert faults(WELL) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrived": Counter([A])}, "1 events were lost."),
        ({"posted": frozenset({A})}, "1 events arrived that never happened."),
        ({"arrived": Counter([A, A, B, B])}, "2 events arrived again, of 1"),
        ({"webhook_ids": {A: {"1", "2"}}}, "1 events came with several webhook ids."),
        ({"unsigned": 1}, "1 tries were not signed"),
        ({"undelivered": 1}, "1 deliveries are not done."),
        ({"polled": frozenset()}, "1 events were lost for who polls."),
        ({"looks_kept": 3}, "2 paid looks were not kept, of 1"),
        ({"looks_booked": 4}, "5 looks were paid, 4 are in the books."),
        ({"looks_booked": 7}, "5 looks were paid, 7 are in the books."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_said(change: dict[str, Any], said: str) -> None:
    (fault,) = faults(replace(WELL, **change))
    assert fault.startswith(said)
