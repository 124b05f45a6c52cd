"""Which function does what the catalog declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from connector.domain.answers import Result
from connector.services.lookup import find_profile, get_profile

HANDLERS: Final[Mapping[str, Callable[..., Result]]] = {
    "get_profile": get_profile,
    "find_profile": find_profile,
}
