"""Secrets at rest: sealed with keys that can be rotated, of which the first seals and each opens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector.domain.errors import Unreadable


class FernetVault:
    """Seals with the first of `keys`, opens with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [Fernet(key.strip()) for key in keys]
        self._first = fernets[0]
        self._fernet = MultiFernet(fernets)

    def seal(self, secret: str) -> str:
        """`secret` as it may be stored."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret again. Raises `Unreadable` where none of the keys sealed it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as exc:
            raise Unreadable from exc

    def renewed(self, sealed: str) -> str | None:
        """The same secret, sealed with the first key; null where it is already. Raises `Unreadable`."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return self.seal(self.open(sealed))
        return None


def key_beside(database: Path) -> str:
    """The key kept in a file beside the database, for trials; made on first use, for its owner only.

    Somebody may have put more into it, with commas, as into CONNECTOR_ENCRYPTION_KEYS.
    """
    path = database.with_name(f"{database.name}.key")
    if not path.exists():
        with NamedTemporaryFile("w", dir=path.parent) as draft:
            draft.write(new_encryption_key())
            draft.flush()
            # Appears whole or not at all; where another process was first, its key counts.
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_text("ascii")


def new_encryption_key() -> str:
    """A key for `FernetVault`."""
    return Fernet.generate_key().decode()
