"""The main job over real HTTP: a handle in, a flat row out, on all three platforms."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from profile_api.services.samples import DOCUMENTED, SAMPLE_HANDLES
from schemas.fields import sample_of
from schemas.profile import ProfileRow
from tests.running import PLATFORM_SOURCES, Server

KEYS = list(sample_of(ProfileRow))
platforms = pytest.mark.parametrize("platform", PLATFORM_SOURCES)


def get_profile(server: Server, platform: str, handle: str, key: str) -> requests.Response:
    return requests.post(
        f"{server.url}/{platform}/actions/get_profile",
        json={"handle": handle},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return server.new_key()[0]


@platforms
def test_documented_profile_comes_back_flat(server: Server, platform: str, key: str) -> None:
    """Every documented value of the documented sample is in the row under its own key."""
    row = get_profile(server, platform, "@StoolPresidente", key).json()
    user, stats = DOCUMENTED["user"], DOCUMENTED["stats"]
    assert list(row) == KEYS
    assert row["user_id"] == row["id"] == user["id"]
    assert row["user_bio_link_link"] == user["bioLink"]["link"]
    assert row["user_avatar_larger"] == user["avatarLarger"]
    assert row["user_profile_tab_show_play_list_tab"] is True
    assert row["stats_follower_count"] == stats["followerCount"]
    assert row["user_created_at"] == "2019-02-19T16:42:27.000Z"
    assert row["credits_used"] == 2
    assert row["warnings"] == []


@platforms
@pytest.mark.parametrize("handle", SAMPLE_HANDLES)
def test_every_variant_gives_a_whole_row(
    server: Server, platform: str, handle: str, key: str
) -> None:
    """However an answer differs from the document, the row starts with the same keys."""
    response = get_profile(server, platform, handle, key)
    row = response.json()
    assert response.status_code == 200
    assert list(row)[: len(KEYS)] == KEYS
    assert row["request_source"] == PLATFORM_SOURCES[platform]
    assert {k: row[k] for k in EXPECTED.get(handle, {})} == EXPECTED.get(handle, {})


EXPECTED: dict[str, dict[str, Any]] = {
    "test_exact_counts": {
        "stats_follower_count": 211339,
        "hearts": 5123456,
        "hearts_quality": "exact",
    },
    "test_negative_hearts": {
        "hearts": None,
        "hearts_quality": "overflowed",
        "stats_heart_count": -977433948,
        "engagement_per_video": None,
        "warnings": ["hearts was left empty: the upstream count overflowed."],
    },
    "test_negative_hearts_exact": {"hearts": 11907467940, "stats_heart_count": 11907467940},
    "test_wrapped_hearts": {"hearts": 4500000000, "hearts_quality": "exact"},
    "test_legacy_hearts": {"hearts": 4200000000, "hearts_quality": "reported"},
    "test_private": {
        "lookup_status": "private",
        "user_signature": "",
        "user_region": None,
        "stats_follower_count": 4100000,
        "recent_video_count": 0,
    },
    "test_private_older": {"lookup_status": "private", "user_signature": None, "hearts": 0},
    "test_only_exact_counts": {"stats_follower_count": 211339, "stats_friend_count": 52},
    "test_sparse": {"user_create_time": None, "user_created_at": None, "user_bio_link_link": None},
    "test_bio_link_null": {"user_bio_link_link": None, "warnings": []},
    "test_bio_link_text": {"user_bio_link_link": "https://example.com/shop", "warnings": []},
    "test_organization": {
        "user_is_organization": 1,
        "user_tt_seller": True,
        "user_commerce_user_info_commerce_user": True,
    },
    "test_live": {"user_room_id": "7301234567890555555"},
    "test_unicode": {
        "user_nickname": "田中さくら🇯🇵",
        "user_signature": 'Tokyo 🌸\n"Say hi": hello@example.com\nمرحبا',
    },
    "test_hidden_posts": {"stats_video_count": 21, "recent_video_count": 0, "recent_videos": []},
    "test_loose_counts": {
        "stats_follower_count": 4100000,
        "hearts": 190000000,
        "stats_video_count": None,
        "stats_friend_count": None,
    },
    "test_web_videos": {
        "recent_video_count": 2,
        "latest_video_id": "7301234567890123456",
        "latest_video_created_at": "2023-11-14T22:13:20.000Z",
        "latest_video_play_count": 1200000,
        "latest_video_url": "https://www.tiktok.com/@test_web_videos/video/7301234567890123456",
    },
    "test_app_videos": {
        "latest_video_id": "7301234567890123457",
        "latest_video_like_count": 400,
        "latest_video_cover_url": "https://p16-sign-va.tiktokcdn.com/aweme.jpeg",
    },
    "test_unknown_keys": {
        "user_new_badge_level_name": "gold",
        "user_big_number": str(2**60),
        "stats_save_count": 11,
        "share_meta_tags": ["a", "b"],
    },
}


def test_line_items_keep_what_is_not_documented(server: Server, key: str) -> None:
    """Unknown keys of a video reach its line item, after the declared ones."""
    row = get_profile(server, "zapier", "test_web_videos", key).json()
    newest, oldest = row["recent_videos"]
    assert newest["music_author_name"] == "Dave Portnoy"
    assert newest["stats_collect_count"] == "510"
    assert newest["challenges"] == [{"id": "5678", "title": "pizza"}]
    assert oldest["play_count"] == 1234567
    assert oldest["created_at"] == "2020-09-13T12:26:40.000Z"


@platforms
def test_source_is_recorded_upstream(server: Server, platform: str) -> None:
    """The platform's path decides the source, and each look-up costs two credits."""
    key, key_id = server.new_key(credits=10)
    get_profile(server, platform, "stoolpresidente", key)
    newest = next(r for r in server.store.latest_requests(1000) if r.credits == 2)
    assert newest.request_source == PLATFORM_SOURCES[platform]
    assert server.credits_of(key_id) == 8


def test_profile_grows_while_you_watch(server: Server, key: str) -> None:
    """Any other valid handle has a profile with recent videos and exact counts."""
    row = get_profile(server, "api", "some.body_22", key).json()
    assert row["handle"] == "some.body_22"
    assert row["recent_video_count"] == 12
    assert row["hearts_quality"] == "exact"
    assert len(row["latest_video_id"]) == 19


@platforms
def test_search_finds_one_or_none(server: Server, platform: str, key: str) -> None:
    """A miss is an empty list with status 200; Make's lists have their wrapper."""
    url = f"{server.url}/{platform}/searches/find_profile"
    headers = {"X-API-Key": key}
    hit = requests.get(url, params={"handle": "stoolpresidente"}, headers=headers, timeout=60)
    misses = [
        requests.post(url, json={"handle": handle}, headers=headers, timeout=60)
        for handle in ("test_not_found", "test_deactivated")
    ]
    if platform == "make":
        assert [set(r.json()) for r in (hit, *misses)] == [{"items", "next_cursor"}] * 3
        assert [r.json()["items"] for r in misses] == [[], []]
        assert hit.json()["items"][0]["handle"] == "stoolpresidente"
    else:
        assert [r.json() for r in misses] == [[], []]
        assert hit.json()[0]["handle"] == "stoolpresidente"
    assert {r.status_code for r in (hit, *misses)} == {200}


@platforms
@pytest.mark.parametrize(
    "send",
    [
        {"json": {"handle": " https://www.tiktok.com/@StoolPresidente/video/1?lang=en "}},
        {"data": {"handle": "@stoolpresidente", "other": "x"}},
        {"files": {"handle": (None, "stoolpresidente")}},
        {"params": {"handle": "stoolpresidente"}},
        {"params": {"handle": "stoolpresidente"}, "json": {"handle": ""}},
        {"data": '{"handle": "stoolpresidente"}', "headers": {"Content-Type": "text/plain"}},
    ],
    ids=["json", "form", "multipart", "query", "empty is absent", "text"],
)
def test_input_comes_in_any_form(
    server: Server, platform: str, send: dict[str, Any], key: str
) -> None:
    headers = {"X-API-Key": key, **send.get("headers", {})}
    url = f"{server.url}/{platform}/actions/get_profile"
    response = requests.post(url, timeout=60, **{**send, "headers": headers})
    assert response.json()["handle"] == "stoolpresidente"


@platforms
def test_connection_test_is_free(server: Server, platform: str) -> None:
    """A good key gets a label without the key in it, and keeps its credits."""
    key, key_id = server.new_key(credits=2)
    response = requests.get(
        f"{server.url}/{platform}/me", headers={"Authorization": f"bearer {key}"}, timeout=60
    )
    account = response.json()
    assert response.status_code == 200
    assert account["request_source"] == PLATFORM_SOURCES[platform]
    assert account["id"] in account["label"]
    assert key not in response.text
    assert server.credits_of(key_id) == 2


@platforms
def test_universal_call_answers_raw(server: Server, platform: str) -> None:
    """The body goes upstream as written, but for the source; doubled slashes do no harm."""
    key, _ = server.new_key()
    response = requests.post(
        f"{server.url}//{platform}//request",
        json={
            "url": "//api/v1/get-tiktok-profile",
            "body": {"handle": "stoolpresidente", "requestSource": "API"},
        },
        headers={"X-API-Key": key},
        timeout=60,
    )
    answer = response.json()
    assert answer["status_code"] == 200
    assert answer["body"] == DOCUMENTED
    assert answer["headers"]["X-RateLimit-Limit"] == "1000000"
    newest = next(r for r in server.store.latest_requests(1000) if r.credits == 2)
    assert newest.request_source == PLATFORM_SOURCES[platform]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"handle": "stoolpresidente"}, 200),
        ('{"handle": "stoolpresidente"}', 200),
        ("", 400),
        ("[]", 400),
        ("{", 400),
        ('{"handle": NaN}', 400),
        ('{"a":' * 100 + "1" + "}" * 100, 400),
        (5, 400),
    ],
    ids=["object", "text", "empty", "list", "broken", "nan", "deep", "number"],
)
def test_universal_body_is_an_object_or_its_text(
    server: Server, body: object, status: int, key: str
) -> None:
    """Forms and mapping fields send text."""
    response = requests.post(
        f"{server.url}/make/request",
        json={"url": "/api/v1/get-tiktok-profile", "body": body},
        headers={"X-API-Key": key},
        timeout=60,
    )
    assert response.status_code == status


def test_pick_list_is_open_to_forms(server: Server) -> None:
    response = requests.get(f"{server.url}/make/rpcs/endpoints", timeout=60)
    assert response.json() == [{"label": "Get a profile", "value": "/api/v1/get-tiktok-profile"}]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/api/v1/get-tiktok-profile",
        "//evil.example/api/v1/get-tiktok-profile",
        "/api/v1/../keys",
        "/api/v1/get-tiktok-profile?x=1",
        "/api/v1/get-tiktok-profile/../x",
        "\\\\evil.example",
        "",
    ],
)
def test_universal_call_stays_on_the_documented_api(server: Server, url: str, key: str) -> None:
    response = requests.post(
        f"{server.url}/api/request",
        json={"url": url, "body": {"handle": "stoolpresidente"}},
        headers={"X-API-Key": key},
        timeout=60,
    )
    assert (response.status_code, response.json()["error_code"]) == (400, "invalid_input")


def test_limits_of_the_upstream_are_passed_on(server: Server) -> None:
    key, _ = server.new_key(rate_limit=50)
    response = get_profile(server, "api", "stoolpresidente", key)
    assert response.headers["X-RateLimit-Limit"] == "50"
    assert response.headers["X-RateLimit-Remaining"] == "49"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/readyz/", "//healthz"])
def test_operators_and_people_find_their_way(server: Server, path: str) -> None:
    """No redirect anywhere: Zapier refuses one and a POST would lose its body."""
    response = requests.get(server.url + path, timeout=60, allow_redirects=False)
    assert response.status_code == 200
    assert response.json()
