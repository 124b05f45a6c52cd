"""A profile for any handle, as a pure function of handle and time: it grows while you watch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

RECENT_VIDEOS: Final = 12
_BEGAN_AT: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_DAY: Final = 86_400
_FIRST_NAMES: Final = ("Ada", "Bo", "Chiara", "Dev", "Elif", "Femi", "Goro", "Hana")
_TOPICS: Final = ("baking", "climbing", "drumming", "gardening", "chess", "thrifting")
_COUNTRIES: Final = (("US", "en"), ("DE", "de"), ("JP", "ja"), ("BR", "pt"), ("NG", "en"))


class _Dice:
    """Numbers that depend on a seed and a name only."""

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def roll(self, name: str, low: int, high: int) -> int:
        digest = hashlib.sha256(f"{self._seed}/{name}".encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


def generated_payload(handle: str, now: datetime) -> dict[str, Any]:
    """The profile of `handle` at `now`: a follower every few seconds, a video every few minutes."""
    dice = _Dice(handle)
    elapsed = max(int(now.timestamp()) - _BEGAN_AT, 0)
    followers = dice.roll("followers", 1_000, 2_000_000) + elapsed // dice.roll("pace", 3, 20)
    interval = dice.roll("interval", 4 * 60, 12 * 60)
    posted = elapsed // interval
    videos = dice.roll("videos", 5, 400) + posted
    hearts = followers * dice.roll("hearts", 3, 40) + posted * 100
    counts = {
        "followerCount": followers,
        "followingCount": dice.roll("following", 3, 900),
        "heart": hearts,
        "heartCount": hearts,
        "videoCount": videos,
        "diggCount": dice.roll("given", 0, 5_000),
        "friendCount": dice.roll("friends", 0, 300),
    }
    return {
        "user": _user(handle, dice, now),
        "stats": {name: _rounded(count) for name, count in counts.items()},
        "statsV2": {name: str(count) for name, count in counts.items()},
        "itemList": list(_videos(handle, dice, posted, interval, elapsed)),
    }


def _user(handle: str, dice: _Dice, now: datetime) -> dict[str, Any]:
    topic = _TOPICS[dice.roll("topic", 0, len(_TOPICS) - 1)]
    region, language = _COUNTRIES[dice.roll("country", 0, len(_COUNTRIES) - 1)]
    # Signed addresses last for two days and change at midnight, as real ones change in time.
    expires = (int(now.timestamp()) // _DAY + 2) * _DAY
    avatar = "https://avatars.example.com/{}-{}.jpeg?x-expires={}&x-signature={}%3D"
    signature = dice.roll(f"signature {expires}", 10**9, 10**10 - 1)
    return {
        "id": str(dice.roll("id", 6 * 10**18, 7 * 10**18 - 1)),
        "shortId": "",
        "uniqueId": handle,
        "nickname": f"{_FIRST_NAMES[dice.roll('name', 0, len(_FIRST_NAMES) - 1)]} ({handle})",
        "avatarLarger": avatar.format(handle, 1080, expires, signature),
        "avatarMedium": avatar.format(handle, 720, expires, signature),
        "avatarThumb": avatar.format(handle, 100, expires, signature),
        "signature": f"All about {topic}. Sample data.",
        "createTime": _BEGAN_AT - dice.roll("age", 30, 2_500) * _DAY,
        "verified": dice.roll("verified", 0, 4) == 0,
        "secUid": f"MS4wLjABAAAA{hashlib.sha256(handle.encode()).hexdigest()}",
        "bioLink": {"link": f"https://example.com/{handle}", "risk": 0},
        "commerceUserInfo": {"commerceUser": dice.roll("commerce", 0, 3) == 0},
        "privateAccount": False,
        "secret": False,
        "roomId": "",
        "ttSeller": False,
        "region": region,
        "language": language,
        "isOrganization": 0,
    }


def _videos(
    handle: str, dice: _Dice, posted: int, interval: int, elapsed: int
) -> Iterator[dict[str, Any]]:
    for number in range(posted, max(posted - RECENT_VIDEOS, 0), -1):
        posted_at = _BEGAN_AT + number * interval
        age = elapsed - number * interval
        plays = dice.roll(f"plays {number}", 50, 5_000) + age // 2
        # TikTok's own ids carry the time of posting in their upper half.
        video_id = str((posted_at << 32) + dice.roll(f"video {number}", 0, 2**32 - 1))
        yield {
            "id": video_id,
            "desc": f"Video {number} of {handle} #sample",
            "createTime": posted_at,
            "isPinned": False,
            "author": {"uniqueId": handle},
            "stats": {
                "playCount": plays,
                "diggCount": plays // 9,
                "commentCount": plays // 70,
                "shareCount": plays // 110,
                "collectCount": str(plays // 90),
            },
            "video": {
                "duration": dice.roll(f"length {number}", 6, 180),
                "cover": f"https://covers.example.com/{video_id}.jpeg",
            },
        }


def _rounded(count: int) -> int:
    """As TikTok's `stats` round: 211339 reads 211300."""
    return count if count < 10_000 else count // 100 * 100
