"""The flat row: one profile as keys and values. Keys and their order are permanent.

A key that comes from upstream is its path in snake_case. Every key is in every row,
null when unknown. Nothing here reads a payload: `domain/rows.py` does.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from marshmallow import Schema, fields

from schemas.fields import (
    Flag,
    Identifier,
    Items,
    Number,
    Text,
    Timestamp,
    Url,
    WholeNumber,
    declared_fields,
    field,
    sample_of,
)
from schemas.video import Video

SAMPLE_FETCHED_AT = "2024-11-18T12:00:00.000Z"


class Identity(Schema):
    """Who it is."""

    id = field(
        Identifier,
        label="ID", sample="6659752019493208069",
        help="The same as User ID: what platforms tell rows apart by.",
    )
    handle = field(
        Text,
        label="Handle", sample="stoolpresidente",
        help="The handle in lower case, without @.",
    )
    profile_url = field(
        Url,
        label="Profile URL", sample="https://www.tiktok.com/@stoolpresidente",
        help="The profile's own page.",
    )
    lookup_status = field(
        Text,
        label="Lookup status", sample="found",
        help="`found`, or `private` when the account is private and shows little.",
    )


class User(Schema):
    """Every documented field of `user`."""

    user_id = field(
        Identifier, "user.id",
        label="User ID", sample="6659752019493208069",
        help="TikTok's internal id of the user, as text.",
    )
    user_short_id = field(
        Identifier, "user.shortId",
        label="Short ID", sample="",
        help="A short id, where the account has one.",
    )
    user_unique_id = field(
        Identifier, "user.uniqueId",
        label="Username", sample="stoolpresidente",
        help="The handle as TikTok spells it.",
    )
    user_nickname = field(
        Text, "user.nickname",
        label="Display name", sample="Dave Portnoy",
        help="The name shown on the profile.",
    )
    user_avatar_larger = field(
        Url, "user.avatarLarger",
        label="Avatar, large",
        sample="https://p16-sign-va.tiktokcdn.com/avatar-1080.jpeg?x-expires=1732000000",
        help="The largest profile picture. The address is signed and expires.",
    )
    user_avatar_medium = field(
        Url, "user.avatarMedium",
        label="Avatar, medium",
        sample="https://p16-sign-va.tiktokcdn.com/avatar-720.jpeg?x-expires=1732000000",
        help="The medium profile picture. The address is signed and expires.",
    )
    user_avatar_thumb = field(
        Url, "user.avatarThumb",
        label="Avatar, small",
        sample="https://p16-sign-va.tiktokcdn.com/avatar-100.jpeg?x-expires=1732000000",
        help="The smallest profile picture. The address is signed and expires.",
    )
    user_signature = field(
        Text, "user.signature",
        label="Bio", sample="El Presidente/Barstool Sports Founder.",
        help="The text under the name.",
    )
    user_create_time = field(
        WholeNumber, "user.createTime",
        label="Created (Unix time)", sample=1550594547,
        help="When the account was created, in seconds since 1970.",
    )
    user_verified = field(
        Flag, "user.verified",
        label="Verified", sample=True,
        help="Whether the account carries the verified badge.",
    )
    user_sec_uid = field(
        Text, "user.secUid",
        label="Secured user ID",
        sample="MS4wLjABAAAAINC_ElRR-l1RCcnEjOZhNO-9wOzAMf-YHXqRY8vvG9bEhMRa6iu23TaE3JPZYXBD",
        help="TikTok's second, secured id of the user.",
    )
    user_ftc = field(
        Flag, "user.ftc",
        label="FTC", sample=False,
        help="TikTok's marker for accounts of younger users.",
    )
    user_relation = field(
        WholeNumber, "user.relation",
        label="Relation", sample=0,
        help="How the viewer relates to the user; 0 is not at all.",
    )
    user_open_favorite = field(
        Flag, "user.openFavorite",
        label="Favorites public", sample=False,
        help="Whether the favorites are public.",
    )
    user_bio_link_link = field(
        Url, "user.bioLink.link",
        label="Bio link", sample="https://www.barstoolsports.com/bios/Surviving-Barstool",
        help="The link in the bio.",
    )
    user_bio_link_risk = field(
        WholeNumber, "user.bioLink.risk",
        label="Bio link risk", sample=0,
        help="TikTok's risk rating of the link; 0 is none.",
    )
    user_comment_setting = field(
        WholeNumber, "user.commentSetting",
        label="Comment setting", sample=0,
        help="Who may comment; 0 is everyone.",
    )
    user_commerce_user_info_commerce_user = field(
        Flag, "user.commerceUserInfo.commerceUser",
        label="Business account", sample=False,
        help="Whether it is a business account.",
    )
    user_duet_setting = field(
        WholeNumber, "user.duetSetting",
        label="Duet setting", sample=0,
        help="Who may duet; 0 is everyone.",
    )
    user_stitch_setting = field(
        WholeNumber, "user.stitchSetting",
        label="Stitch setting", sample=0,
        help="Who may stitch; 0 is everyone.",
    )
    user_private_account = field(
        Flag, "user.privateAccount",
        label="Private", sample=False,
        help="Whether the account is private.",
    )
    user_secret = field(
        Flag, "user.secret",
        label="Secret", sample=False,
        help="TikTok's second marker of a private account.",
    )
    user_is_ad_virtual = field(
        Flag, "user.isADVirtual",
        label="Virtual ad account", sample=False,
        help="Whether the account exists for advertising only.",
    )
    user_room_id = field(
        Identifier, "user.roomId",
        label="Live room ID", sample="",
        help="The id of the live room; empty while the user is not live.",
    )
    user_unique_id_modify_time = field(
        WholeNumber, "user.uniqueIdModifyTime",
        label="Handle changed (Unix time)", sample=0,
        help="When the handle was changed, in seconds since 1970; 0 when unknown.",
    )
    user_tt_seller = field(
        Flag, "user.ttSeller",
        label="TikTok Shop seller", sample=False,
        help="Whether the account sells on TikTok Shop.",
    )
    user_region = field(
        Text, "user.region",
        label="Region", sample="US",
        help="The user's country, in two letters.",
    )
    user_download_setting = field(
        WholeNumber, "user.downloadSetting",
        label="Download setting", sample=0,
        help="Who may download videos; 0 is everyone.",
    )
    user_profile_tab_show_music_tab = field(
        Flag, "user.profileTab.showMusicTab",
        label="Music tab", sample=False,
        help="Whether the profile shows a music tab.",
    )
    user_profile_tab_show_question_tab = field(
        Flag, "user.profileTab.showQuestionTab",
        label="Question tab", sample=False,
        help="Whether the profile shows a question tab.",
    )
    user_profile_tab_show_play_list_tab = field(
        Flag, "user.profileTab.showPlayListTab",
        label="Playlist tab", sample=True,
        help="Whether the profile shows a playlist tab.",
    )
    user_following_visibility = field(
        WholeNumber, "user.followingVisibility",
        label="Following visibility", sample=1,
        help="Who sees whom the user follows; 1 is everyone.",
    )
    user_recommend_reason = field(
        Text, "user.recommendReason",
        label="Recommend reason", sample="",
        help="Why TikTok recommends the account.",
    )
    user_now_invitation_card_url = field(
        Url, "user.nowInvitationCardUrl",
        label="Invitation card", sample="",
        help="The address of the invitation card.",
    )
    user_nick_name_modify_time = field(
        WholeNumber, "user.nickNameModifyTime",
        label="Name changed (Unix time)", sample=0,
        help="When the display name was changed, in seconds since 1970; 0 when unknown.",
    )
    user_is_embed_banned = field(
        Flag, "user.isEmbedBanned",
        label="Embedding banned", sample=False,
        help="Whether the profile can't be embedded elsewhere.",
    )
    user_can_exp_playlist = field(
        Flag, "user.canExpPlaylist",
        label="Playlists allowed", sample=True,
        help="Whether the user can make playlists.",
    )
    user_profile_embed_permission = field(
        WholeNumber, "user.profileEmbedPermission",
        label="Embed permission", sample=1,
        help="Whether the profile may be embedded; 1 is yes.",
    )
    user_language = field(
        Text, "user.language",
        label="Language", sample="en",
        help="The language of the profile, in two letters.",
    )
    user_event_list = field(
        Items, "user.eventList",
        label="Events", sample=[],
        help="Events that the user announced, as they came.",
    )
    user_suggest_account_bind = field(
        Flag, "user.suggestAccountBind",
        label="Suggests linking", sample=False,
        help="Whether TikTok suggests that the account be linked.",
    )
    user_is_organization = field(
        WholeNumber, "user.isOrganization",
        label="Organization", sample=0,
        help="1 for an organization, 0 for a person.",
    )


class Stats(Schema):
    """Every documented field of `stats`; exact where `statsV2` has the figure."""

    stats_follower_count = field(
        WholeNumber, "statsV2.followerCount", "stats.followerCount",
        label="Followers", sample=4100000,
        help="Accounts that follow this profile.",
    )
    stats_following_count = field(
        WholeNumber, "statsV2.followingCount", "stats.followingCount",
        label="Following", sample=74,
        help="Accounts that this profile follows.",
    )
    stats_heart = field(
        WholeNumber, "statsV2.heart", "stats.heart",
        label="Hearts (heart)", sample=190400000,
        help="Hearts received, as the upstream field `heart` says; prefer `hearts`.",
    )
    stats_heart_count = field(
        WholeNumber, "statsV2.heartCount", "stats.heartCount",
        label="Hearts (heartCount)", sample=190400000,
        help="Hearts received, as the upstream field `heartCount` says; prefer `hearts`.",
    )
    stats_video_count = field(
        WholeNumber, "statsV2.videoCount", "stats.videoCount",
        label="Videos", sample=2017,
        help="Videos posted.",
    )
    stats_digg_count = field(
        WholeNumber, "statsV2.diggCount", "stats.diggCount",
        label="Likes given", sample=0,
        help="Hearts that the user gave; not always known.",
    )
    stats_friend_count = field(
        WholeNumber, "statsV2.friendCount", "stats.friendCount",
        label="Friends", sample=52,
        help="Accounts that follow this profile and that it follows.",
    )


class Derived(Schema):
    """What follows from the fields above."""

    hearts = field(
        WholeNumber,
        label="Hearts", sample=190400000,
        help="Hearts received, null rather than a figure known to be wrong.",
    )
    hearts_quality = field(
        Text,
        label="Hearts quality", sample="reported",
        help="`exact`, `reported` (perhaps rounded) or `overflowed` (the true figure is unknown).",
    )
    user_created_at = field(
        Timestamp,
        label="Created at", sample="2019-02-19T16:42:27.000Z",
        help="When the account was created.",
    )
    avatar_expires_at = field(
        Timestamp,
        label="Avatar expires at", sample="2024-11-19T07:06:40.000Z",
        help="Until when the avatar addresses work.",
    )
    engagement_per_video = field(
        Number,
        label="Hearts per video", sample=94397.62,
        help="Hearts divided by videos.",
    )


class LookUp(Schema):
    """About the look-up itself."""

    fetched_at = field(
        Timestamp,
        label="Fetched at", sample=SAMPLE_FETCHED_AT,
        help="When the profile was read from TikTok.",
    )
    cached = field(
        Flag,
        label="From cache", sample=False,
        help="Whether the row was answered from an earlier look-up.",
    )
    credits_used = field(
        WholeNumber,
        label="Credits used", sample=2,
        help="Credits that this look-up cost.",
    )
    warnings = field(
        Items,
        label="Warnings", sample=[], of=Text,
        help="What could not be read, in plain sentences.",
    )
    request_source = field(
        Text,
        label="Request source", sample="ZAPIER",
        help="The source recorded upstream.",
    )


def _latest(declared: fields.Field[Any]) -> fields.Field[Any]:
    latest = copy(declared)
    label = str(declared.metadata["title"])
    latest.metadata = {
        **declared.metadata,
        "title": f"Latest video: {label.removeprefix('Video ')}",
        "x-upstream": (),
    }
    return latest


def _videos() -> dict[str, fields.Field[Any]]:
    """Recent videos three times over: a count, the newest as scalars, all as line items."""
    count = field(
        WholeNumber,
        label="Recent videos (count)", sample=1,
        help="How many recent videos came along; null when the upstream sent no list.",
    )
    videos = field(
        Items,
        label="Recent videos", sample=[sample_of(Video)],
        help="The recent videos, newest first, as line items.",
        of=Video,
    )
    latest = {f"latest_video_{k}": _latest(f) for k, f in declared_fields(Video).items()}
    return {"recent_video_count": count, **latest, "recent_videos": videos}


def _row(*sections: type[Schema] | dict[str, fields.Field[Any]]) -> dict[str, fields.Field[Any]]:
    keys: dict[str, fields.Field[Any]] = {}
    for section in sections:
        keys |= section if isinstance(section, dict) else declared_fields(section)
    return keys


ProfileRow: type[Schema] = Schema.from_dict(
    _row(Identity, User, Stats, Derived, _videos(), LookUp), name="ProfileRow"
)
