"""Hearts: the one count that overflows upstream, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hearts:
    """`quality` is `exact`, `reported` or `overflowed`; both are null when nothing was said."""

    value: int | None
    quality: str | None


def judge_hearts(*, exact: int | None, heart: int | None, heart_count: int | None) -> Hearts:
    """The number of hearts, never invented.

    Upstream keeps `heart` and `heartCount` in 32 signed bits, so more than 2,147,483,647
    wraps, sometimes to a positive figure; only `exact` (from `statsV2`) is beyond doubt.
    Older answers carry the figure in `heart` and 0 in `heartCount`.
    """
    if exact is not None and exact >= 0:
        return Hearts(exact, "exact")
    reported = [count for count in (exact, heart, heart_count) if count is not None]
    if not reported:
        return Hearts(None, None)
    if min(reported) < 0:
        return Hearts(None, "overflowed")
    return Hearts(max(reported), "reported")


def per_video(hearts: int | None, videos: int | None) -> float | None:
    """Hearts a video to two decimals; null when either is unknown or there are no videos."""
    if hearts is None or not videos or videos < 0:
        return None
    return round(hearts / videos, 2)
