"""A short soak on each database; `make soak` runs it for minutes, and with a product that is broken."""

from __future__ import annotations

from pathlib import Path

from tests.soak.counted import figures_of
from tests.soak.plan import Plan
from tests.soak.together import soaking
from tests.soak.verdict import faults


def test_nothing_is_lost_while_processes_are_killed(database_url: str, tmp_path: Path) -> None:
    """Workers and the web server end at random moments; each event arrives, signed, with one id."""
    plan = Plan(database_url, "", tmp_path, minutes=0.2, rate=30)
    with soaking(plan, print) as soak:
        soak.run()
        figures = figures_of(soak)
    assert len(figures.events.posted) == 100
    assert sum(figures.kills.values()) == plan.kills
    assert faults(figures) == []
