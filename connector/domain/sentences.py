"""Events in the words of a person, for lists and charts; each thing that happened is said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from connector.domain.watched import Noticed, unix_seconds

_CAPTION_CHARACTERS: Final = 80
# Where the field's label and "changed" would say less. By the key and what it is now.
_SWITCHED: Final = {
    ("user_private_account", "true"): "Went private",
    ("user_private_account", "false"): "Went public",
    ("user_verified", "true"): "Got the verified badge",
    ("user_verified", "false"): "Lost the verified badge",
}
_PICTURE: Final = "user_avatar_larger"

Body = Mapping[str, Any]


def said_once(noticed: Iterable[Noticed]) -> list[dict[str, Any]]:
    """What happened as `occurred_at` (Unix seconds), `event_type` and `text`, in the order given.

    Several subscriptions may tell of the same, each with the changes that it watches.
    """
    said: dict[tuple[int, str], dict[str, Any]] = {}
    for event in noticed:
        at, kind = unix_seconds(event.at), event.body["event_type"]
        for text in _sentences(event.body):
            # Two videos may have the same caption, or none.
            known_by = event.event_id if kind == "new_video" else text
            row = {"occurred_at": at, "event_type": kind, "text": text}
            said.setdefault((at, known_by), row)
    return list(said.values())


def _sentences(body: Body) -> Iterator[str]:
    kind = body["event_type"]
    if kind == "profile_changed":
        yield from map(_change, body["changes"])
    elif kind in _SAID:
        yield _SAID[kind](body)
    else:
        yield kind.replace("_", " ").capitalize()


def _change(change: Mapping[str, Any]) -> str:
    if change["field"] == _PICTURE:
        return "Picture changed"
    switched = _SWITCHED.get((change["field"], change["new_value"]))
    return switched or f"{change['label']} changed"


def _video(body: Body) -> str:
    caption = " ".join((body["latest_video_description"] or "").split())
    if len(caption) > _CAPTION_CHARACTERS:
        caption = f"{caption[: _CAPTION_CHARACTERS - 1].rstrip()}…"
    return f"New video: {caption}" if caption else "New video"


def _counts(body: Body) -> str:
    followers = body["stats_follower_count"]
    return "Counts reported" if followers is None else f"Counts reported: {followers:,} followers"


_SAID: Final[Mapping[str, Callable[[Body], str]]] = {
    "new_video": _video,
    "follower_milestone": lambda body: f"Reached {body['milestone']:,} followers",
    "stats_snapshot": _counts,
    "profile_gone": lambda _: "Not found any more",
    "profile_private": lambda _: "Went private",
    "profile_back": lambda _: "Back again",
}
