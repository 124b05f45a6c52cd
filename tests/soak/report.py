"""The figures of a soak as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.soak.plan import Plan
from tests.soak.verdict import Figures


def lines_of(figures: Figures, kind: str, plan: Plan, seconds: float) -> list[str]:
    """A heading, and a table of two columns."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    rows = [f"| {name} | {value} |" for name, value in _rows(figures, seconds).items()]
    head = f"### {when}, {kind}, {plan.minutes:g} minutes, {plan.rate:g} requests a second"
    return [head, "", "| what | figures |", "| --- | --- |", *rows, ""]


def append_to(path: Path, lines: Sequence[str], plan: Plan, wrong: Sequence[str]) -> None:
    """Adds the table, and what does not hold, to a file; of a broken product one row of a table."""
    verdict = [f"- **{sentence}**" for sentence in wrong] or ["Everything held."]
    noticed = " ".join(wrong) or "not noticed"
    added = [f"| `{plan.fault}` | {noticed} |"] if plan.fault else ["", *lines, *verdict]
    with path.open("a") as file:
        file.write("\n".join([*added, ""]))


def _rows(figures: Figures, seconds: float) -> dict[str, str]:
    events, work, answers = figures.events, figures.work, figures.answers
    return {
        "seconds until all had ended": f"{seconds:.0f}",
        "requests answered": f"{answers.total}; {_several(figures.families)}",
        "without an answer": f"{answers.unanswered},"
        f" of which {len(answers.unexplained)} that no kill explains",
        "kills": f"{sum(figures.kills.values())}; {_several(figures.kills)}",
        "faults of the upstream": _several(figures.injected),
        "tries of hostile receivers": _several(figures.hostile),
        "events sent": f"{len(events.posted)}, lost {events.lost}, told again {events.duplicates}"
        f" (kills explain {events.in_flight})",
        "events polled": f"{len(events.polled_posted)}, lost {events.lost_polls}",
        "videos not posted, as their profile was not looked at": str(events.held_back),
        "results promised": f"{len(work.accepted)}, never sent {len(work.accepted - work.told)}",
        "jobs accepted": f"{len(work.jobs)}, not ended {work.unended_jobs}",
        "repeats with an Idempotency-Key": f"{work.repeats}, answered otherwise {work.wrong_repeats}",
        "paid again": f"{work.paid_again} look-ups"
        f" (of which {len(work.unexplained)} that no kill had cut off)",
        "credits charged": f"{figures.charged}; in the books {figures.booked}, unsure"
        f" {sum(a.unsure for a in figures.accounts)}, in neither"
        f" {sum(max(a.forgotten, 0) for a in figures.accounts)}"
        f" (kills explain {sum(a.in_flight for a in figures.accounts)})",
        **{
            f"{held.name}, last {held.seconds:.0f} s": f"{held.memory_kb / 1024:.0f} MB,"
            f" {held.growth_kb:+.0f} KB a minute; {held.files} open files, {held.more_files:+d}"
            for held in figures.traces.held
        },
        "tracebacks, secrets found": f"{len(figures.traces.tracebacks)}, {len(figures.traces.leaks)}",
    }


def _several(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
