"""API keys: 256 random bits, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets

# Public on purpose: it opens sample data only, so that documented examples work as pasted.
TEST_KEY = "sk_test_demo"


def new_key() -> str:
    """A key that nobody can guess."""
    return f"sk_{secrets.token_urlsafe(32)}"


def hash_key(key: str) -> str:
    """SHA-256 in hex; a slow hash would add nothing to 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


def hint_of(key: str) -> str:
    """The first characters, enough for its owner to recognise it."""
    return f"{key[:7]}..."
