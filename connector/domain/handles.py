"""Handles in normal form: the bare name in lower case, from whatever a person pastes.

Sources disagree on what a handle may hold and a failed look-up costs nothing, so
only the clearly impossible is refused.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from connector.domain.errors import InvalidHandle

MAX_LENGTH = 64
_ADDRESS = re.compile(r"(?:https?:)?(?://)?((?:[a-z0-9-]+\.)?tiktok\.com)(?:/|[?#]|$)", re.I)
_SCHEME = re.compile(r"https?://", re.I)
_USER_ID = re.compile(r"\d{17,19}", re.ASCII)
_SEC_UID_PREFIX = "MS4wLjAB"
_PROFILE_ADDRESS = "https://www.tiktok.com/@name"


def normalise_handle(text: str) -> str:
    """The normal form of the handle in `text`, a name or the address of a profile.

    Normalising twice changes nothing. Raises `InvalidHandle` with a sentence that says
    what to use instead; it never repeats the input, which may be a pasted secret.
    """
    text = _trim(text)
    if _is_address(text):
        name = _name_in_address(text)
    elif text.startswith(("@", "/@")):
        name = text.lstrip("/").split("/", 1)[0]
    else:
        name = text.rstrip("/")
    name = _trim(re.split(r"[?#]", name, maxsplit=1)[0]).lstrip("@").lower()
    return _checked(_trim(name))


def _trim(text: str) -> str:
    """Without white space and invisible format characters at the ends: copying brings them along."""
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def _is_address(text: str) -> bool:
    return bool(_SCHEME.match(text)) or (bool(_ADDRESS.match(text)) and "/" in text)


def _name_in_address(text: str) -> str:
    match = _ADDRESS.match(text)
    if match is None:
        raise InvalidHandle(f"This is not a TikTok address. Use a name or {_PROFILE_ADDRESS}.")
    host = match[1].lower()
    path = re.split(r"[?#]", text[match.end(1) :], maxsplit=1)[0]
    first = unquote(next((part for part in path.split("/") if part), ""))
    if host in ("vm.tiktok.com", "vt.tiktok.com") or first == "t":
        raise InvalidHandle(
            "Short links hide the name. Open the link and paste the profile's own address,"
            f" {_PROFILE_ADDRESS}."
        )
    if host not in ("tiktok.com", "www.tiktok.com", "m.tiktok.com") or not first.startswith("@"):
        raise InvalidHandle(f"This address holds no handle. Use a name or {_PROFILE_ADDRESS}.")
    return first


def _checked(name: str) -> str:
    if not name:
        raise InvalidHandle("The handle is empty. Use the name after the @ on the profile.")
    if name.startswith(_SEC_UID_PREFIX.lower()):
        raise InvalidHandle(
            "This is a secured user id (secUid), not a handle. Use the name after the @."
        )
    if _USER_ID.fullmatch(name):
        raise InvalidHandle("This is a user id, not a handle. Use the name after the @.")
    if len(name) > MAX_LENGTH:
        raise InvalidHandle(f"The handle is longer than {MAX_LENGTH} characters.")
    if any(
        c.isspace() or (unicodedata.category(c)[0] == "C" and unicodedata.category(c) != "Cn")
        for c in name
    ):
        raise InvalidHandle(
            "The handle holds white space or control characters. Use a single name."
        )
    if re.search(r"[/@?#]", name) or not name.strip("."):
        raise InvalidHandle(f"This is not a handle. Use a name or {_PROFILE_ADDRESS}.")
    return name
