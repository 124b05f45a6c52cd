"""How much the C library's allocator keeps for threads. Knows nothing of what is allocated."""

from __future__ import annotations

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8


def share_heaps(most: int = 2) -> None:
    """Lets all threads of this process, and of those that it forks, share `most` heaps.

    glibc gives a thread a heap of its own where others are busy, up to eight for each core, and what is
    free in one is of no use to another: with 30 threads that was 24 MB of 160. Threads of one
    interpreter allocate in turn anyway. Other C libraries have one heap, and nothing to be told.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell:
        tell(_M_ARENA_MAX, most)
