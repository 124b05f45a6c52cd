"""The entry for gunicorn. Assembly only."""

import os

from connector.bootstrap import build

app = build(os.environ)
