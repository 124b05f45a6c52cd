"""app.json, by which Heroku sets the product up from nothing. Says of each setting what it says itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

# By hand, as only its owner knows it; what can be left empty; and what is known of Heroku.
_ENV: Final[Mapping[str, Mapping[str, Any]]] = {
    "CONNECTOR_ENCRYPTION_KEYS": {"required": True},
    "CONNECTOR_BASE_URL": {"required": True},
    "PROFILE_API_URL": {"value": "https://api.dumpling.ai"},
    "CONNECTOR_DEADLINE_SECONDS": {"value": "28"},
    # Its router.
    "TRUSTED_PROXIES": {"value": "1"},
    # As many cores as are seen there don't share half a gigabyte.
    "WEB_WORKERS": {"value": "2"},
}


def render_heroku(settings: Mapping[str, str]) -> dict[str, str]:
    """The file by its name; `settings` are texts of help by variable."""
    app = {
        "name": "TikTok profile connector",
        "description": "TikTok profiles as flat fields, for Zapier, Make and plain HTTP.",
        "stack": "heroku-24",
        "buildpacks": [{"url": "heroku/python"}],
        "addons": [{"plan": "heroku-postgresql:essential-0"}],
        "formation": {
            "web": {"quantity": 1, "size": "basic"},
            "worker": {"quantity": 1, "size": "basic"},
        },
        "env": {name: {"description": settings[name], **said} for name, said in _ENV.items()},
    }
    return {"app.json": json.dumps(app, indent=2) + "\n"}
