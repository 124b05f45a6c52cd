"""What a serving process loads, which each megabyte of it is told by."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.running import ROOT, clean_environment

SCRIPT = """
import json, os, sys
from connector.bootstrap import build
build(os.environ)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_serving_from_sqlite_loads_nothing_of_what_only_others_need(tmp_path: str) -> None:
    environment = clean_environment(DATABASE_URL=f"sqlite:///{tmp_path}/db", PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    assert "sqlalchemy" in loaded
    # Not pygments: structlog loads it where a tool of ours for the tests has brought it along.
    others = {"alembic", "mako", "psycopg", "celery", "gevent", "sentry_sdk", "opentelemetry"}
    assert not loaded & others
