"""Which events lie between two looks at a profile. The same two looks always give the same events."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.domain.portraits import (
    FOUND,
    GONE,
    PRIVATE,
    Portrait,
    compared,
    is_new_user,
    period_of,
)
from schemas.events import WATCHED_KEYS, EventHead
from schemas.fields import declared_fields, label_of
from schemas.inputs import STATUSES
from schemas.profile import ProfileRow
from schemas.video import Video

Inputs = Mapping[str, Any]
_HEAD: Final = tuple(declared_fields(EventHead))
MAX_ID_CHARACTERS: Final = 250
# Of an id that is longer.
_KEPT_CHARACTERS: Final = 100
TEST_PREFIX: Final = "test:"
# What a person watches in the console, with no receiver. No platform offers it.
IN_CONSOLE: Final = "console"
_STATUS_WORDS: Final = dict(zip((GONE, PRIVATE, FOUND), STATUSES, strict=True))
_TIME: Final = EventHead(only=["occurred_at"])


@dataclass(frozen=True)
class Event:
    """One event. `body` is the flat event row that every platform gets."""

    event_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class _Looks:
    before: Portrait
    after: Portrait
    now: datetime


@dataclass(frozen=True)
class _Rule:
    """What a trigger tells between two looks, and what it shows while there is nothing to tell."""

    decide: Callable[[Inputs, _Looks], Iterator[Event]]
    sample: Callable[[Inputs, _Looks], Event]


def id_prefix(user_id: str | None) -> str:
    """What the ids of all events of a user begin with, but for tests."""
    return f"{user_id}:"[:_KEPT_CHARACTERS]


def events_between(
    trigger: str, inputs: Inputs, before: Portrait | None, after: Portrait, now: datetime
) -> list[Event]:
    """The events of `trigger` from one look to the next, oldest first; the first look has none."""
    rule = _RULES.get(trigger)
    # A later version may know more triggers: this one still keeps what it has paid for.
    if before is None or is_new_user(before, after) or rule is None:
        return []
    return list(rule.decide(inputs, _Looks(before, after, now)))


def sample_event(trigger: str, inputs: Inputs, portrait: Portrait, now: datetime) -> Event:
    """An event as it could have happened to this profile: what a form shows before one did."""
    return _RULES[trigger].sample(inputs, _Looks(portrait, portrait, now))


def as_test(body: Mapping[str, Any], name: str, now: datetime) -> Event:
    """The event `body` as a test: nothing differs but its id, which tells that nothing happened."""
    event_id = f"{TEST_PREFIX}{name}"
    head = {"event_id": event_id, "id": event_id, "occurred_at": _iso(now)}
    return Event(event_id, {**body, **head})


def _new_videos(inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    before, after = looks.before, looks.after
    if after.status != FOUND or before.video_ids is None:
        return
    known = set(before.video_ids)
    for video in reversed(after.row["recent_videos"]):
        # An old video that moves into the list again, when a newer one is deleted, is not new.
        posted = video["created_at"]
        stale = before.newest_video_at and posted and posted <= before.newest_video_at
        if video["id"] and video["id"] not in known and not stale and _is_meant(inputs, video):
            yield _new_video(looks, video)


def _is_meant(inputs: Inputs, video: Mapping[str, Any]) -> bool:
    words = [folded for word in inputs.get("description_contains") or () if (folded := _fold(word))]
    caption = _fold(video["description"] or "")
    return not words or any(word in caption for word in words)


def _fold(text: str) -> str:
    """`text` as it is compared: whatever its case, its accents' spelling and its letters' font."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def _new_video(looks: _Looks, video: Mapping[str, Any]) -> Event:
    # Whoever maps the latest video means the one that the event is about.
    latest = {f"latest_video_{key}": video[key] for key in declared_fields(Video)}
    return _event(looks, f"{looks.after.user_id}:{video['id']}", "new_video", **latest)


def _sample_video(_inputs: Inputs, looks: _Looks) -> Event:
    videos = looks.after.row.get("recent_videos") or ()
    return _new_video(looks, videos[0]) if videos else _changed(looks, [])


def _profile_changes(inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    before, after = looks.before, looks.after
    wanted = inputs.get("watched_fields") or WATCHED_KEYS
    went_private = after.status == PRIVATE and before.status == FOUND
    keys = [key for key in WATCHED_KEYS if key in wanted and _differs(key, looks)]
    if went_private:
        # It blanks what it had: one change, not many.
        keys = [key for key in keys if key == "user_private_account"]
    if after.status == GONE or not keys:
        return
    yield _changed(looks, keys)


def _changed(looks: _Looks, keys: list[str]) -> Event:
    digest = _digest([looks.after.values.get(key) for key in keys])
    return _event(
        looks,
        f"{looks.after.user_id}:{'+'.join(keys)}:{digest}:{looks.after.number}",
        "profile_changed",
        changed_fields=keys,
        changes=[_change(key, looks) for key in keys],
    )


def _sample_change(_inputs: Inputs, looks: _Looks) -> Event:
    return _changed(looks, list(WATCHED_KEYS[:1]))


def _milestones(inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    low, high = looks.before.followers, looks.after.followers
    if low is None or high is None or looks.after.status == GONE:
        return
    reached = {count for count in inputs.get("thresholds") or () if low < count <= high}
    every = inputs.get("every")
    if every and high // every * every > low:
        # Of several multiples in one leap, the highest says it all.
        reached.add(high // every * every)
    yield from (_milestone(looks, count) for count in sorted(reached))


def _milestone(looks: _Looks, count: int) -> Event:
    event_id = f"{looks.after.user_id}:followers:{count}"
    return _event(looks, event_id, "follower_milestone", milestone=count)


def _sample_milestone(inputs: Inputs, looks: _Looks) -> Event:
    followers = looks.after.followers or 0
    counts = [n for n in inputs.get("thresholds") or () if n <= followers]
    return _milestone(looks, max(counts, default=followers))


def _snapshots(inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    frequency = inputs.get("frequency") or "daily"
    marked, followers = looks.before.marks.get(frequency, (None, None))
    if looks.after.status != GONE and marked not in (None, period_of(frequency, looks.now)):
        yield _snapshot(looks, frequency, followers)


def _snapshot(looks: _Looks, frequency: str, followers: int | None) -> Event:
    event_id = f"{looks.after.user_id}:stats:{period_of(frequency, looks.now)}"
    change = _follower_change(followers, looks.after.followers)
    return _event(looks, event_id, "stats_snapshot", **change)


def _sample_snapshot(inputs: Inputs, looks: _Looks) -> Event:
    return _snapshot(looks, inputs.get("frequency") or "daily", looks.after.followers)


def _availability(inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    status = looks.after.status
    wanted = inputs.get("statuses") or _STATUS_WORDS.values()
    if looks.before.status != status and _STATUS_WORDS[status] in wanted:
        yield _availability_event(inputs, looks)


def _availability_event(_inputs: Inputs, looks: _Looks) -> Event:
    status = looks.after.status
    happened = f"profile_{_STATUS_WORDS[status]}"
    event_id = f"{looks.after.user_id}:{happened}:{_digest(status)}:{looks.after.number}"
    return _event(looks, event_id, happened, lookup_status=status)


def _for_console(_inputs: Inputs, looks: _Looks) -> Iterator[Event]:
    """All that needs no choice: a milestone would have to be named, and counts are kept anyway."""
    for decide in (_new_videos, _profile_changes, _availability):
        yield from decide({}, looks)


_RULES: Final[Mapping[str, _Rule]] = {
    "new_video": _Rule(_new_videos, _sample_video),
    "profile_changed": _Rule(_profile_changes, _sample_change),
    "follower_milestone": _Rule(_milestones, _sample_milestone),
    "stats_snapshot": _Rule(_snapshots, _sample_snapshot),
    "profile_unavailable": _Rule(_availability, _availability_event),
    IN_CONSOLE: _Rule(_for_console, _sample_change),
}


def _differs(key: str, looks: _Looks) -> bool:
    before, after = looks.before.values, looks.after.values
    return key in before and key in after and before[key] != after[key]


def _change(key: str, looks: _Looks) -> dict[str, Any]:
    return {
        "field": key,
        "label": label_of(declared_fields(ProfileRow)[key]),
        "old_value": _text(_shown(key, looks.before)),
        "new_value": _text(_shown(key, looks.after)),
    }


def _shown(key: str, portrait: Portrait) -> Any:
    """The value as the row had it, where that is the value compared."""
    in_row, value = portrait.row.get(key), portrait.values.get(key)
    return in_row if compared(key, in_row) == value else value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def _follower_change(before: int | None, now: int | None) -> dict[str, int | None]:
    known = before is not None and now is not None
    return {
        "previous_follower_count": before,
        "follower_change": now - before if known else None,  # type: ignore[operator]  # both known
    }


def _event(looks: _Looks, event_id: str, event_type: str, **values: Any) -> Event:
    if len(event_id) > MAX_ID_CHARACTERS:
        # Ids of videos are a stranger's words.
        event_id = f"{event_id[:_KEPT_CHARACTERS]}:{_digest(event_id)}"
    head: dict[str, Any] = {
        **dict.fromkeys(_HEAD),
        "event_id": event_id,
        "event_type": event_type,
        "occurred_at": _iso(looks.now),
        "changed_fields": [],
        "changes": [],
        **_follower_change(looks.before.followers, looks.after.followers),
        # The store counts them when it keeps them; what only shows a form comes before all.
        "event_sequence": 0,
    }
    row = {**looks.after.row, "id": event_id}
    return Event(event_id, {**head, **row, **values})


def _iso(now: datetime) -> str:
    text: str = _TIME.dump({"occurred_at": now})["occurred_at"]
    return text
