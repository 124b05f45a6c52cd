"""What processes count together, where its disk is full: no request and no process is lost for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import values

from connector.adapters.metrics import Metrics
from connector.domain.metrics import CACHE
from wire.shared_folder import VARIABLE, Place


def test_files_have_their_room_from_the_start(tmp_path: Path) -> None:
    """To write into a mapped file that finds none is SIGBUS, for the process and all that it does."""
    assert Place(str(tmp_path))() == 0
    files = [path.stat() for path in tmp_path.glob("*.db")]
    assert len(files) == 2
    assert all(file.st_blocks * 512 >= file.st_size for file in files)


def test_process_without_room_counts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    # What the library chooses by itself where the variable is set.
    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue)
    metrics = Metrics()
    metrics.count(CACHE, "hit")
    assert b'{result="hit"} 1.0' in metrics.text()
    assert not metrics.shared
