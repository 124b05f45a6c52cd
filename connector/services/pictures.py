"""Pictures of profiles, fetched for whoever looks at a page: their browser asks nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from connector.domain.callers import Caller
from connector.domain.errors import InvalidHandle, InvalidInput
from connector.domain.handles import normalise_handle
from connector.domain.pictures import Picture
from connector.domain.ports import LookupStore, PictureSource
from connector.domain.targets import checked_target


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Finds pictures. `source` is null where none is real; `allow_local` is for trials."""

    store: LookupStore
    source: PictureSource | None
    allow_local: bool

    def of(self, handle: str, caller: Caller) -> Picture | None:
        """The picture of a profile that the caller has looked up lately; null where there is none."""
        try:
            row = self.store.known(caller.connection, normalise_handle(handle)).row or {}
            address = row.get("user_avatar_thumb")
            if self.source is None or not address:
                return None
            return self.source.fetch(checked_target(address, allow_local=self.allow_local))
        except (InvalidHandle, InvalidInput):
            return None
