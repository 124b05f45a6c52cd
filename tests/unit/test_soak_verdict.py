"""The soak's verdict: each way to lose, repeat, overpay or leak is noticed, and nothing else is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.soak.leaks import found_in, tracebacks
from tests.soak.measuring import Held
from tests.soak.routes import routes_in
from tests.soak.verdict import Account, Answers, Events, Figures, Traces, Work, faults

A, B, PROMISED = ("/hook/0", "a"), ("/hook/0", "b"), ("/told/1", "7")
HELD = Held("worker1", seconds=300, memory_kb=90_000, growth_kb=500, files=30, more_files=3)
WELL = Figures(
    events=Events(
        posted=frozenset({A, B}),
        arrived=Counter([A, B, B]),
        webhook_ids={A: {"1"}, B: {"2"}},
        unsigned=0,
        undelivered=0,
        polled_posted=frozenset({"q"}),
        polled=frozenset({"q", "sample"}),
        in_flight=1,
    ),
    looks_paid=5,
    looks_in_vain=1,
    looks_kept=3,
    accounts=[Account("api:1", charged=20, booked=14, unsure=6, set_aside=20, in_flight=2)],
    work=Work(
        accepted=frozenset({PROMISED}),
        told=frozenset({PROMISED}),
        jobs=frozenset({"j"}),
        kept_jobs=frozenset({"j", "of who was cut off"}),
        paid_again=1,
        repeats=9,
    ),
    answers=Answers(unanswered=3),
    traces=Traces(held=[HELD], exit_codes=[0, 0, 0]),
)


def test_what_kills_explain_is_no_fault() -> None:
    assert faults(WELL) == []


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("events", {"arrived": Counter([A])}, "1 events were lost."),
        ("events", {"posted": frozenset({A})}, "1 events arrived that never happened."),
        ("events", {"arrived": Counter([A, A, B, B])}, "2 events arrived again, of 1"),
        ("events", {"webhook_ids": {A: {"1", "2"}}}, "1 events came with several webhook ids."),
        ("events", {"unsigned": 1}, "1 tries were not signed"),
        ("events", {"undelivered": 1}, "1 deliveries are not done."),
        ("events", {"polled": frozenset()}, "1 events were lost for who polls (q)."),
        ("events", {"led_astray": 1}, "1 redirects of receivers were followed."),
        ("", {"looks_kept": 2}, "3 paid looks were not kept, of 2"),
        ("accounts", {"booked": 10}, "4 credits are in no book, of 2 that kills can explain."),
        ("accounts", {"booked": 22, "set_aside": 28}, "2 credits are in the books that nobody"),
        ("accounts", {"set_aside": 18}, "2 credits were charged that no budget"),
        ("accounts", {"set_aside": 24}, "2 credits lessen a budget and were neither"),
        ("work", {"told": frozenset()}, "1 results were promised and never sent."),
        ("work", {"kept_jobs": frozenset()}, "1 jobs were accepted and are gone."),
        ("work", {"unended_jobs": 1}, "1 jobs have not ended."),
        ("work", {"unended_rows": ["b1"]}, "1 rows have not ended (b1)."),
        (
            "work",
            {"unexplained": ["b1"]},
            "1 look-ups were paid again that no kill had cut off (b1).",
        ),
        ("work", {"wrong_repeats": 1}, "1 of 9 repeats were not answered as the first."),
        ("work", {"overspent": 2}, "2 credits were spent beyond budgets."),
        ("answers", {"unvisited": frozenset({"GET /"})}, "1 routes never answered well (GET /)."),
        ("answers", {"failures": {"GET /": 1}}, "1 requests failed (GET /)."),
        ("answers", {"refusals": {"GET / 404": 2}}, "2 requests were refused (GET / 404)."),
        (
            "answers",
            {"misshapen": {"GET /": 1}},
            "1 errors were not in the published form (GET /).",
        ),
        (
            "answers",
            {"unexplained": ["GET /"]},
            "1 requests got no answer that no kill explains (GET /).",
        ),
        ("traces", {"leaks": {"web.log": 1}}, "Secrets stand in web.log."),
        ("traces", {"tracebacks": ["KeyError"]}, "1 tracebacks were logged (KeyError)."),
        ("traces", {"held": [replace(HELD, growth_kb=9000)]}, "Memory grows: worker1 by 9000 KB"),
        ("traces", {"held": [replace(HELD, more_files=99)]}, "Open files grow: worker1 by 99."),
        ("traces", {"left_behind": 1}, "1 processes were left behind."),
        ("traces", {"exit_codes": [0, -9]}, "Stopped processes ended with [-9]."),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_each_fault_is_said(part: str, change: dict[str, Any], said: str) -> None:
    if part == "accounts":
        change = {part: [replace(WELL.accounts[0], **change)]}
    elif part:
        change = {part: replace(getattr(WELL, part), **change)}
    (fault,) = faults(replace(WELL, **change))
    assert fault.startswith(said)


def test_secrets_are_found_wherever_they_stand(tmp_path: Path) -> None:
    """Across the pieces in which a file is read, too; an address counts where it is said to."""
    file = tmp_path / "pages"
    file.write_bytes(b"\0" * ((1 << 20) - 4) + b"whsec_c2VjcmV0 wh_" + b"a" * 30 + b" /cb_soak_1")
    planted = {"whsec_c2VjcmV0", f"wh_{'a' * 30}"}
    assert found_in([file], planted, addresses=False) == {"pages": 2}
    assert found_in([file], planted, addresses=True) == {"pages": 3}
    assert found_in([file], {"whsec_other"}, addresses=False) == {}


def test_tracebacks_are_told_by_what_was_raised(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text(
        "well\nTraceback (most recent call last):\n  File x\n    y\nKeyError: 'z'\nwell\n"
    )
    assert tracebacks([log]) == ["KeyError: 'z'"]


def test_routes_are_those_of_the_product_for_any_platform() -> None:
    """A rule with blanks in it is one rule."""
    lines = [
        "GET or POST /make/searches/x",
        "POST /console/a/<any(zapier, make, api):platform>/<id>",
    ]
    assert routes_in({"routes": lines}) == {
        "GET /{platform}/searches/x",
        "POST /{platform}/searches/x",
        "POST /console/a/{platform}/<id>",
    }
