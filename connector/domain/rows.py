"""An upstream answer as one flat row. Whatever the answer holds, the row has every key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from marshmallow import ValidationError, fields

from connector.domain.answers import CREDITS_PER_LOOKUP
from connector.domain.counts import judge_hearts, per_video
from connector.domain.errors import ProfileNotFound, UpstreamInvalid
from connector.domain.payloads import (
    LEAF,
    MISSING,
    Notes,
    Tree,
    dumped,
    find,
    known_tree,
    leftovers,
    merge,
    pick,
)
from schemas.fields import Timestamp, WholeNumber
from schemas.profile import ProfileRow
from schemas.video import Video

MAX_WARNINGS = 20
# A page of TikTok's holds 16 to 35.
MAX_VIDEOS = 500
_COUNT = WholeNumber()
_MOMENT = Timestamp()
_VIDEO_TREE = known_tree(Video)
_ROW_TREE: Tree = {**known_tree(ProfileRow), "itemList": {LEAF: True}}


def profile_row(
    payload: Mapping[str, Any], *, handle: str, request_source: str, fetched_at: datetime
) -> dict[str, Any]:
    """The row for a 200 answer to a look-up of `handle`.

    Raises `ProfileNotFound` for a deactivated account and `UpstreamInvalid` for an
    answer that names no user. Mistyped values are null and leave a warning.
    """
    notes = Notes()
    payload = _with_bio_link_object(_with_user(payload))
    values = pick(payload, ProfileRow, notes)
    videos = _videos(payload, values["user_unique_id"] or handle, notes)
    values |= _identity(values, handle) | _derived(payload, values, notes)
    values |= {f"latest_video_{key}": value for key, value in (videos or [({}, {})])[0][0].items()}
    values |= {
        "recent_video_count": None if videos is None else len(videos),
        "fetched_at": fetched_at.replace(microsecond=0),
        "cached": False,
        "credits_used": CREDITS_PER_LOOKUP,
        "request_source": request_source,
    }
    row = dumped(values, ProfileRow)
    row["recent_videos"] = [_video_row(video, item, notes) for video, item in videos or ()]
    merge(row, leftovers(payload, _ROW_TREE, notes), notes)
    row["warnings"] = _shortened(notes.warnings)
    return row


def _with_user(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    user = payload.get("user")
    if not user and payload.get("account_deactivated") is True:
        raise ProfileNotFound("This TikTok account has been deactivated.")
    if not isinstance(user, dict) or not any(map(_is_name, map(user.get, ("id", "uniqueId")))):
        raise UpstreamInvalid("The profile API sent an answer without a user.")
    return payload


def _is_name(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and bool(value)


def _with_bio_link_object(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Some answers give the link in the bio as bare text."""
    user = payload["user"]
    if isinstance(user.get("bioLink"), str):
        return {**payload, "user": {**user, "bioLink": {"link": user["bioLink"]}}}
    return payload


def _identity(values: Mapping[str, Any], handle: str) -> dict[str, Any]:
    name = (values["user_unique_id"] or handle).lower()
    private = values["user_private_account"]
    if private is None:
        private = values["user_secret"]
    return {
        "id": values["user_id"],
        "handle": name,
        "profile_url": _address(name),
        "lookup_status": "private" if private else "found",
    }


def _address(name: str) -> str:
    return f"https://www.tiktok.com/@{quote(name, safe='')}"


def _derived(payload: Mapping[str, Any], values: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    exact = (_count(payload, "statsV2.heartCount"), _count(payload, "statsV2.heart"))
    hearts = judge_hearts(
        exact=max((count for count in exact if count is not None), default=None),
        heart=_count(payload, "stats.heart"),
        heart_count=_count(payload, "stats.heartCount"),
    )
    if hearts.quality == "overflowed":
        notes.warn("hearts was left empty: the upstream count overflowed.")
    avatars = (values[f"user_avatar_{size}"] for size in ("larger", "medium", "thumb"))
    return {
        "hearts": hearts.value,
        "hearts_quality": hearts.quality,
        "user_created_at": _read(_MOMENT, values["user_create_time"]),
        "avatar_expires_at": next(filter(None, map(_expiry, avatars)), None),
        "engagement_per_video": per_video(hearts.value, values["stats_video_count"]),
    }


def _count(payload: Mapping[str, Any], path: str) -> int | None:
    value = find(payload, path)
    return None if value is MISSING else _read(_COUNT, value)


def _expiry(url: str | None) -> datetime | None:
    """When a signed image address stops working: `x-expires` in its query, in Unix seconds."""
    try:
        query = parse_qs(urlsplit(url or "").query)
    except ValueError:
        return None
    expiry: datetime | None = _read(_MOMENT, query.get("x-expires", [None])[0])
    return expiry


def _read(kind: fields.Field[Any], value: Any) -> Any:
    """`value` as `kind` reads it, null where it doesn't fit."""
    try:
        return None if value is None else kind.deserialize(value)
    except ValidationError:
        return None


def _videos(
    payload: Mapping[str, Any], owner: str, notes: Notes
) -> list[tuple[dict[str, Any], Mapping[str, Any]]] | None:
    """The recent videos as (values, item as it came), newest first; null when no list came."""
    items = find(payload, "itemList")
    if not isinstance(items, list):
        if items is not MISSING:
            notes.warn("itemList was left out: a list was expected.")
        return None
    if len(items) > MAX_VIDEOS:
        notes.warn(f"Of itemList, the first {MAX_VIDEOS} were read.")
    readable = [item for item in items[:MAX_VIDEOS] if isinstance(item, dict)]
    if len(readable) < len(items[:MAX_VIDEOS]):
        notes.warn("Items of itemList were left out: objects were expected.")
    videos = [(_video(item, owner, notes), item) for item in readable]
    # Pinned videos stand first upstream, however old they are.
    return sorted(videos, key=lambda video: _age_key(video[0]["created_at"]), reverse=True)


def _age_key(posted_at: datetime | None) -> float:
    return posted_at.timestamp() if posted_at else 0.0


def _video(item: Mapping[str, Any], owner: str, notes: Notes) -> dict[str, Any]:
    values = pick(item, Video, notes)
    name = values["id"] and quote(values["id"], safe="")
    return values | {"url": name and f"{_address(owner)}/video/{name}"}


def _video_row(values: Mapping[str, Any], item: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    row = dumped(values, Video)
    merge(row, leftovers(item, _VIDEO_TREE, notes), notes)
    return row


def _shortened(warnings: Iterable[str]) -> list[str]:
    distinct = list(warnings)
    more = len(distinct) - MAX_WARNINGS
    return distinct[:MAX_WARNINGS] + ([f"{more} more were left out."] if more > 0 else [])
