"""The web server as the soak runs it: the product's own, or with a fault."""

import os

from connector.bootstrap import build
from tests.soak.mutants import install

install(os.environ.get("SOAK_FAULT", ""))
app = build(os.environ)
