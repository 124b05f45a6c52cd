"""The history of the endpoint's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wire.migrations import Migrations

VERSION_TABLE: Final = "profile_api_version"
MIGRATIONS: Final = Migrations(Path(__file__).parent / "migrations", VERSION_TABLE)
