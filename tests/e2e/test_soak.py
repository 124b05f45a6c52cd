"""A short soak on each database; `make soak` runs it for minutes, and with workers that are broken."""

from __future__ import annotations

from pathlib import Path

from tests.soak.run import Plan, soaking
from tests.soak.verdict import faults


def test_nothing_is_lost_while_processes_are_killed(database_url: str, tmp_path: Path) -> None:
    """Workers and the web server end at random moments; each event arrives, signed, with one id."""
    plan = Plan(database_url, "", tmp_path, profiles=10, videos=10, kills=5)
    with soaking(plan, print) as soak:
        figures = soak.run()
    assert len(figures.posted) == 100
    assert soak.kills == 5
    assert faults(figures) == []
