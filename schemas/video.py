"""One recent video: a line item, read from either dialect in which upstream answers come."""

from __future__ import annotations

from marshmallow import Schema

from schemas.fields import Identifier, Text, Timestamp, Url, WholeNumber, field


class Video(Schema):
    """The flat line item. Of each field's paths, the first that holds a value counts."""

    id = field(
        Identifier, "id", "aweme_id",
        label="Video ID", sample="7301234567890123456",
        help="TikTok's id of the video, as text.",
    )
    url = field(
        Url,
        label="Video URL", help="The video's own page.",
        sample="https://www.tiktok.com/@stoolpresidente/video/7301234567890123456",
    )
    description = field(
        Text, "desc",
        label="Description", sample="One bite, everybody knows the rules.",
        help="The caption under the video, hashtags included.",
    )
    created_at = field(
        Timestamp, "createTime", "create_time",
        label="Posted at", sample="2023-11-14T22:13:20.000Z",
        help="When the video was posted.",
    )
    play_count = field(
        WholeNumber, "statsV2.playCount", "stats.playCount", "statistics.play_count",
        label="Plays", sample=1250000, help="Times the video was played.",
    )
    like_count = field(
        WholeNumber, "statsV2.diggCount", "stats.diggCount", "statistics.digg_count",
        label="Likes", sample=98000, help="Hearts the video received.",
    )
    comment_count = field(
        WholeNumber, "statsV2.commentCount", "stats.commentCount", "statistics.comment_count",
        label="Comments", sample=1400, help="Comments under the video.",
    )
    share_count = field(
        WholeNumber, "statsV2.shareCount", "stats.shareCount", "statistics.share_count",
        label="Shares", sample=2300, help="Times the video was shared.",
    )
    cover_url = field(
        Url, "video.cover", "video.cover.url_list.0",
        label="Cover image", help="A still of the video. The address is signed and expires.",
        sample="https://p16-sign-va.tiktokcdn.com/cover.jpeg?x-expires=1732000000",
    )
