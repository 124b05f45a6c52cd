"""Sample payloads: the documented one, and one for each way in which real answers differ from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

Payload = dict[str, Any]

DOCUMENTED: Final[Payload] = {
    "user": {
        "id": "6659752019493208069",
        "shortId": "",
        "uniqueId": "stoolpresidente",
        "nickname": "Dave Portnoy",
        "avatarLarger": "https://p16-sign-va.tiktokcdn.com/avatar-1080.jpeg?x-expires=1893456000&x-signature=a%2Bb%3D",
        "avatarMedium": "https://p16-sign-va.tiktokcdn.com/avatar-720.jpeg?x-expires=1893456000&x-signature=c%2Bd%3D",
        "avatarThumb": "https://p16-sign-va.tiktokcdn.com/avatar-100.jpeg?x-expires=1893456000&x-signature=e%2Bf%3D",
        "signature": "El Presidente/Barstool Sports Founder.",
        "createTime": 1550594547,
        "verified": True,
        "secUid": "MS4wLjABAAAAINC_ElRR-l1RCcnEjOZhNO-9wOzAMf-YHXqRY8vvG9bEhMRa6iu23TaE3JPZYXBD",
        "ftc": False,
        "relation": 0,
        "openFavorite": False,
        "bioLink": {"link": "https://www.barstoolsports.com/bios/Surviving-Barstool", "risk": 0},
        "commentSetting": 0,
        "commerceUserInfo": {"commerceUser": False},
        "duetSetting": 0,
        "stitchSetting": 0,
        "privateAccount": False,
        "secret": False,
        "isADVirtual": False,
        "roomId": "",
        "uniqueIdModifyTime": 0,
        "ttSeller": False,
        "region": "US",
        "downloadSetting": 0,
        "profileTab": {"showMusicTab": False, "showQuestionTab": False, "showPlayListTab": True},
        "followingVisibility": 1,
        "recommendReason": "",
        "nowInvitationCardUrl": "",
        "nickNameModifyTime": 0,
        "isEmbedBanned": False,
        "canExpPlaylist": True,
        "profileEmbedPermission": 1,
        "language": "en",
        "eventList": [],
        "suggestAccountBind": False,
        "isOrganization": 0,
    },
    "stats": {
        "followerCount": 4100000,
        "followingCount": 74,
        "heart": 190400000,
        "heartCount": 190400000,
        "videoCount": 2017,
        "diggCount": 0,
        "friendCount": 52,
    },
    "itemList": [],
}

WEB_ITEM: Final[Payload] = {
    "id": "7301234567890123456",
    "desc": "One bite, everybody knows the rules. #pizza",
    "createTime": 1700000000,
    "isAd": False,
    "isPinned": False,
    "locationCreated": "US",
    "author": {"id": "6659752019493208069", "uniqueId": "stoolpresidente"},
    "stats": {
        "playCount": 1200000,
        "diggCount": 98000,
        "commentCount": 1400,
        "shareCount": 2300,
        "collectCount": "510",
    },
    "video": {
        "duration": 61,
        "width": 1080,
        "height": 1920,
        "cover": "https://p16-sign-va.tiktokcdn.com/cover.jpeg?x-expires=1893456000&x-signature=g%3D",
        "definition": "720p",
        "format": "mp4",
    },
    "music": {
        "id": "7301234567890999999",
        "title": "original sound",
        "authorName": "Dave Portnoy",
        "original": True,
    },
    "challenges": [{"id": "5678", "title": "pizza"}],
    "textExtra": [{"hashtagName": "pizza"}],
    "imagePost": None,
}

AWEME_ITEM: Final[Payload] = {
    "aweme_id": "7301234567890123457",
    "desc": "The same thing in the other dialect",
    "create_time": 1700086400,
    "statistics": {
        "play_count": 5000,
        "digg_count": 400,
        "comment_count": 30,
        "share_count": 20,
        "download_count": 10,
    },
    "video": {"cover": {"url_list": ["https://p16-sign-va.tiktokcdn.com/aweme.jpeg"]}},
}


def _documented_for(handle: str) -> Payload:
    payload = deepcopy(DOCUMENTED)
    payload["user"]["uniqueId"] = handle
    return payload


def _exact_counts(payload: Payload) -> None:
    payload["stats"] |= {"followerCount": 211300, "heart": 5100000, "heartCount": 5100000}
    payload["statsV2"] = {
        "followerCount": "211339",
        "followingCount": "74",
        "heart": "5123456",
        "heartCount": "5123456",
        "videoCount": "2017",
        "diggCount": "0",
        "friendCount": "52",
    }


def _negative_hearts(payload: Payload) -> None:
    payload["stats"] |= {"heart": -977433948, "heartCount": -977433948}


def _negative_hearts_exact(payload: Payload) -> None:
    _negative_hearts(payload)
    payload["statsV2"] = {"heart": "11907467940", "heartCount": "11907467940"}


def _wrapped_hearts(payload: Payload) -> None:
    payload["stats"] |= {"heart": 205032704, "heartCount": 205032704}
    payload["statsV2"] = {"heart": "4500000000", "heartCount": "4500000000"}


def _legacy_hearts(payload: Payload) -> None:
    payload["stats"] |= {"heart": 4200000000, "heartCount": 0}


def _private(payload: Payload) -> None:
    payload["user"] |= {"privateAccount": True, "secret": True, "signature": "", "region": None}
    payload["stats"] |= {"videoCount": 0}


def _private_older(payload: Payload) -> None:
    _private(payload)
    payload["user"]["signature"] = None
    payload["stats"] = dict.fromkeys(payload["stats"], 0)


def _only_exact_counts(payload: Payload) -> None:
    _exact_counts(payload)
    del payload["stats"]


def _sparse(payload: Payload) -> None:
    for name in (
        "createTime",
        "region",
        "language",
        "bioLink",
        "commerceUserInfo",
        "profileTab",
    ):
        del payload["user"][name]


def _bio_link(value: object) -> Callable[[Payload], None]:
    def change(payload: Payload) -> None:
        payload["user"]["bioLink"] = value

    return change


def _organization(payload: Payload) -> None:
    payload["user"] |= {
        "isOrganization": 1,
        "ttSeller": True,
        "commerceUserInfo": {"commerceUser": True},
    }


def _live(payload: Payload) -> None:
    payload["user"]["roomId"] = "7301234567890555555"


def _unicode(payload: Payload) -> None:
    payload["user"] |= {
        "nickname": "田中さくら🇯🇵",
        "signature": 'Tokyo 🌸\n"Say hi": hello@example.com\nمرحبا',
    }


def _hidden_posts(payload: Payload) -> None:
    payload["stats"]["videoCount"] = 21


def _loose_counts(payload: Payload) -> None:
    payload["stats"] = {"followerCount": "4100000", "heart": 1.9e8, "videoCount": None}


def _web_items(payload: Payload) -> None:
    older = deepcopy(WEB_ITEM) | {"id": "7300000000000000001", "createTime": "1600000000"}
    older |= {"isPinned": True, "statsV2": {"playCount": "1234567", "repostCount": "8"}}
    payload["itemList"] = [older, deepcopy(WEB_ITEM)]


def _aweme_items(payload: Payload) -> None:
    payload["itemList"] = [deepcopy(AWEME_ITEM)]


def _unknown_keys(payload: Payload) -> None:
    payload["user"] |= {"newBadge": {"levelName": "gold", "points": 7}, "bigNumber": 2**60}
    payload["stats"]["saveCount"] = 11
    payload["shareMeta"] = {"title": "Dave on TikTok", "tags": ["a", "b"]}
    payload["itemList"] = [deepcopy(WEB_ITEM) | {"aiGenerated": {"labelType": 1}}]


_CHANGES: Final[Mapping[str, Callable[[Payload], None]]] = {
    "test_exact_counts": _exact_counts,
    "test_negative_hearts": _negative_hearts,
    "test_negative_hearts_exact": _negative_hearts_exact,
    "test_wrapped_hearts": _wrapped_hearts,
    "test_legacy_hearts": _legacy_hearts,
    "test_private": _private,
    "test_private_older": _private_older,
    "test_only_exact_counts": _only_exact_counts,
    "test_sparse": _sparse,
    "test_bio_link_null": _bio_link(None),
    "test_bio_link_text": _bio_link("https://example.com/shop"),
    "test_organization": _organization,
    "test_live": _live,
    "test_unicode": _unicode,
    "test_hidden_posts": _hidden_posts,
    "test_loose_counts": _loose_counts,
    "test_web_videos": _web_items,
    "test_app_videos": _aweme_items,
    "test_unknown_keys": _unknown_keys,
}


def sample_payload(handle: str) -> Payload | None:
    """A fresh copy of the sample kept under `handle`, or null when none is."""
    if handle == "stoolpresidente":
        return deepcopy(DOCUMENTED)
    change = _CHANGES.get(handle)
    if change is None:
        return None
    payload = _documented_for(handle)
    change(payload)
    return payload


SAMPLE_HANDLES: Final = ("stoolpresidente", *_CHANGES)
