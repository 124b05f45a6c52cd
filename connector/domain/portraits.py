"""What is remembered of a watched profile, so that the next look can be compared with it.

A fixed list of values, keyed on the user's id. A look that could not see something keeps
what was seen before: unknown is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from schemas.events import WATCHED_KEYS
from schemas.inputs import FREQUENCIES

FOUND: Final = "found"
PRIVATE: Final = "private"
GONE: Final = "not_found"
MAX_VIDEO_IDS: Final = 500
# What a private profile still shows; the rest it blanks, which is no edit.
_SHOWN_IN_PRIVATE: Final = ("user_unique_id", "user_verified", "user_private_account")

_PERIODS: Final = {"hourly": "%Y-%m-%dT%H", "daily": "%Y-%m-%d", "weekly": "%G-W%V"}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Portrait:
    """One profile as it was last seen. `number` counts the looks; `row` is the last row of a look.

    `values` are by the key of the row, in the form in which they are compared. `video_ids` are
    null until a list of videos was seen. `marks` are, by frequency, the period of the last look
    and the followers at its start.
    """

    number: int
    status: str
    user_id: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    followers: int | None = None
    video_ids: tuple[str, ...] | None = None
    newest_video_at: str | None = None
    marks: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    row: Row = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Portrait:
        """From what `to_json` gave, also after a trip through a database."""
        marks = {name: (period, count) for name, (period, count) in value["marks"].items()}
        ids = value["video_ids"]
        return cls(**{**value, "video_ids": ids if ids is None else tuple(ids), "marks": marks})


def seen(before: Portrait | None, row: Row, now: datetime) -> Portrait:
    """The profile after a look that brought `row` at `now`.

    Another user under the same name starts anew: nothing of the former one is a change.
    """
    if before and before.user_id and row["user_id"] and before.user_id != row["user_id"]:
        before = replace(Portrait(before.number, GONE), row=before.row)
    old = before or Portrait(0, GONE)
    status = PRIVATE if row["lookup_status"] == PRIVATE else FOUND
    followers = _followers(old, row, status)
    return Portrait(
        number=old.number + 1,
        status=status,
        user_id=row["user_id"] or old.user_id,
        values={**old.values, **_known(row, status)},
        followers=followers,
        video_ids=_video_ids(old, row),
        newest_video_at=max(filter(None, [old.newest_video_at, *_times(row)]), default=None),
        marks=_marks(old, followers, now),
        row=dict(row),
    )


def missed(before: Portrait | None) -> Portrait:
    """The profile after a look that did not find it."""
    old = before or Portrait(0, GONE)
    return replace(old, number=old.number + 1, status=GONE)


def compared(key: str, value: Any) -> Any:
    """A value of the row as it is compared: pictures by path, since their query changes at each look."""
    if value is None:
        return None
    if key == "user_avatar_larger":
        return _path(value)
    return value.lower() if key == "user_unique_id" else value


def period_of(frequency: str, now: datetime) -> str:
    """The hour, day or ISO week of `now`, which is in UTC."""
    return now.strftime(_PERIODS[frequency])


def is_new_user(before: Portrait, after: Portrait) -> bool:
    """Whether the name went to another user between two looks."""
    return bool(before.user_id and after.user_id and before.user_id != after.user_id)


def _known(row: Row, status: str) -> dict[str, Any]:
    keys = _SHOWN_IN_PRIVATE if status == PRIVATE else WATCHED_KEYS
    values = {key: compared(key, row[key]) for key in keys}
    # A whole answer without a link means that there is none; a sparse one says nothing.
    if "user_bio_link_link" in values and row["user_language"] is not None:
        values["user_bio_link_link"] = values["user_bio_link_link"] or ""
    return {key: value for key, value in values.items() if value is not None}


def _followers(old: Portrait, row: Row, status: str) -> int | None:
    count: int | None = row["stats_follower_count"]
    # Older answers zero the counts of private profiles.
    unknown = count is None or count < 0 or (status == PRIVATE and count == 0)
    return old.followers if unknown else count


def _video_ids(old: Portrait, row: Row) -> tuple[str, ...] | None:
    # No list, or an empty one beside videos that are counted: they are hidden, not deleted.
    if not row["recent_video_count"] and row["stats_video_count"] != 0:
        return old.video_ids
    ids = [video["id"] for video in reversed(row["recent_videos"]) if video["id"]]
    return tuple(dict.fromkeys([*(old.video_ids or ()), *ids]))[-MAX_VIDEO_IDS:]


def _marks(
    old: Portrait, followers: int | None, now: datetime
) -> dict[str, tuple[str, int | None]]:
    marks = dict(old.marks)
    for frequency in FREQUENCIES:
        period = period_of(frequency, now)
        if marks.get(frequency, ("",))[0] != period:
            marks[frequency] = (period, followers)
    return marks


def _times(row: Row) -> list[str | None]:
    return [video["created_at"] for video in row["recent_videos"]]


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url
