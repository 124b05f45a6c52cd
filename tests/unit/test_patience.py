"""How long a client is waited for that takes an answer slowly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.web.patience import ANSWER_BYTES, ANSWER_SECONDS, PRESSED_SECONDS, write


class Client:
    """Takes so many bytes each time, and a time for it, on a clock of its own."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size, self._step = size, seconds
        self.taken = bytearray()
        self.seconds = 0.0

    def gettimeout(self) -> float:
        return 0.25

    def send(self, data: memoryview) -> int:
        self.seconds += self._step
        self.taken += data[: self._size]
        return min(len(data), self._size)


def written(client: Client, answer: bytes, pressed: Callable[[], bool]) -> bytes:
    write(client, answer, pressed=pressed, monotonic=lambda: client.seconds)
    return bytes(client.taken)


@pytest.mark.parametrize("pressed", [False, True])
def test_large_answer_is_sent_for_as_long_as_it_is_taken(pressed: bool) -> None:  # it is the value
    """As the rows of a job, which are many megabytes: each piece is waited for anew."""
    answer = bytes(range(256)) * 12 * 1024 + b"the end"
    patience = PRESSED_SECONDS if pressed else ANSWER_SECONDS
    client = Client(ANSWER_BYTES // 4, patience / 5)
    assert written(client, answer, lambda: pressed) == answer
    assert client.seconds > 5 * patience


@pytest.mark.parametrize("pressed", [False, True])
def test_answer_that_is_taken_a_byte_at_a_time_is_cut_off(pressed: bool) -> None:  # as above
    """That is progress too, and would hold a thread for days."""
    client = Client(1, 0.25)
    with pytest.raises(TimeoutError):
        written(client, bytes(4 * ANSWER_BYTES), lambda: pressed)
    patience = PRESSED_SECONDS if pressed else ANSWER_SECONDS
    assert patience < client.seconds < patience + 1
