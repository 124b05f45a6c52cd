"""Every parser of hostile text, with variations of what its fuzzing begins with."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.targets import TARGETS

VARIATIONS = 300


def varied(seed: bytes, words: list[bytes], chance: random.Random) -> bytes:
    """The seed with a piece lost, doubled, overwritten, or with a word of the grammar in it."""
    begin, end = sorted(chance.randrange(len(seed) + 1) for _ in range(2))
    piece = [b"", seed[begin:end] * 2, chance.randbytes(end - begin), chance.choice(words)]
    return seed[:begin] + chance.choice(piece) + seed[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_text_is_read_or_refused(name: str) -> None:
    """A few hundred variations of what is usual; `make fuzz` tries many more."""
    target, chance = TARGETS[name], random.Random(name)
    known = list(target.seeds)
    for seed in known:
        target.run(seed)
    for _ in range(VARIATIONS):
        known.append(varied(chance.choice(known), [*target.words, b""], chance))
        target.run(known[-1])
