"""What the guide says of what is kept."""

from __future__ import annotations

import re

from connector.adapters.store.tables import Base as ConnectorBase
from profile_api.tables import Base as EndpointBase
from tests.running import ROOT


def test_every_table_says_why_it_is_kept_and_for_how_long() -> None:
    """And no other is told of: who asks what is kept of them gets all of the answer."""
    text = (ROOT / "docs/privacy.md").read_text("utf-8")
    kept = text[text.index("| table |") : text.index("## Who can read it")]
    told = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\|([^|]*)\|", kept, re.M)))
    tables = [*ConnectorBase.metadata.tables, *EndpointBase.metadata.tables]
    assert sorted(told) == sorted(tables)
