"""The end of all that is kept for an API key: begun at once, and done a piece at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from connector.domain.callers import Caller
from connector.domain.ports import Clock, ConnectionStore
from connector.services.subscribing import Subscribing
from schemas.account import Deletion

_DELETION: Final = Deletion()
# What an answer waits for, and this part of the caller's time at most; a worker does the rest.
_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.01
_ENOUGH: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Deleting:
    """Deletes connections."""

    store: ConnectionStore
    subscribing: Subscribing
    clock: Clock

    def delete(self, caller: Caller) -> dict[str, Any]:
        """Whether all that was kept for the caller is gone, or goes on being deleted.

        To do it twice is no error. Raises `InvalidApiKey` for a bad key, for which nothing is kept.
        """
        gone = True
        if not self.begin(caller.connection, caller.platform.key):
            self.subscribing.rule_out_bad_key(caller)
        else:
            gone = self._done_in_time(caller)
        deletion: dict[str, Any] = _DELETION.dump(
            {"id": caller.connection_id, "platform": caller.platform.key, "deleted": gone}
        )
        return deletion

    def kept(self, callers: Sequence[Caller]) -> list[dict[str, Any]]:
        """How much is kept for each of some callers, as far as anything is; times are Unix seconds."""
        found = self.store.listed([caller.connection for caller in callers])
        return [{**asdict(one), "created_at": round(one.created_at.timestamp())} for one in found]

    def begin(self, connection_id: str, platform: str) -> bool:
        """From now on nothing is made for the connection; false where nothing is kept for it."""
        return self.store.begin_deleting(connection_id, platform, self.clock.now())

    def piece(self, connection_id: str) -> int | None:
        """Deletes a few rows; how many, null once all are gone."""
        done = self.store.delete_piece(connection_id, self.clock.now())
        if done:
            # Who has just written would be let in again before those that wait.
            self.clock.sleep(_PAUSE_SECONDS)
        return done

    def go_on(self, *, pieces: int) -> None:
        """Deletes so many pieces of what others have begun."""
        for connection_id in self.store.being_deleted():
            while pieces > 0:
                pieces -= 1
                if not self.piece(connection_id):
                    break

    def _done_in_time(self, caller: Caller) -> bool:
        seconds = caller.deadline.seconds
        while caller.deadline.remaining() > seconds - min(_SECONDS, seconds * _ENOUGH):
            done = self.piece(caller.connection)
            if not done:
                return done is None
        return False
