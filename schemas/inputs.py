"""What actions and searches accept. Handles are put into normal form later, by the domain."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema

from schemas.fields import Identifier, field


class ProfileInput(Schema):
    """One profile, by handle."""

    class Meta:
        # Platforms send fields of their own along; only what is declared counts.
        unknown = EXCLUDE

    handle = field(
        Identifier,
        label="Handle", sample="stoolpresidente", required=True, allow_none=False,
        help="The TikTok username, with or without @, or the address of the profile.",
    )
