"""The app's own README: what it is, the one value to set, how it gets into an account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.exports.documents import table
from connector.exports.make_fields import camel
from connector.exports.make_requests import PLATFORM, TIMEOUT_MILLISECONDS
from schemas.catalog import Catalog

_GUIDE: Final = "https://developers.make.com/custom-apps-documentation"


def render_readme(
    catalog: Catalog,
    base_url: str,
    *,
    holding: Iterable[str],
    error: Mapping[str, Any],
    universal_id: str,
) -> str:
    """The text. `holding` are the files that hold `base_url`, `error` is the error directive."""
    return _TEXT.format(
        name=catalog.product.name,
        description=catalog.product.description,
        modules=_modules(catalog, universal_id),
        errors=_errors(error),
        base_url=base_url,
        files=" ".join(holding),
        guide=_GUIDE,
        platform=PLATFORM.key,
        deadline=f"{PLATFORM.deadline_seconds:g}",
        timeout=f"{TIMEOUT_MILLISECONDS / 1000:g}",
    )


def _modules(catalog: Catalog, universal_id: str) -> str:
    rows = [(camel(t.key), t.watch_label, t.description) for t in catalog.polled_and_instant]
    rows += [(camel(item.key), item.label, item.description) for item in catalog]
    rows.append((universal_id, catalog.universal.label, catalog.universal.description))
    return table(
        ("module", "label", "what it does"),
        ((f"`{name}`", label, text) for name, label, text in rows),
    )


def _errors(error: Mapping[str, Any]) -> str:
    statuses: dict[str, list[str]] = {}
    for status, entry in error.items():
        if status.isdigit():
            statuses.setdefault(entry["type"], []).append(status)
    rows = ((", ".join(found), kind, _OUTCOMES[kind]) for kind, found in statuses.items())
    return table(("status", "error type in Make", "what happens"), rows)


_OUTCOMES: Final = {
    "DataError": "This bundle has failed; an error handler can go on without it.",
    "InvalidAccessTokenError": "The scenario stops until the connection has a good key.",
    "InvalidConfigurationError": "The scenario stops until the account has credits.",
    "RuntimeError": "The app and the connector don't fit together: export and deploy again.",
    "RateLimitError": "The scenario runs again later; the message says how long to wait.",
    "ConnectionError": "The scenario runs again later. Read the message first: some may be charged.",
}
_TEXT: Final = """\
# {name}: an app for Make

{description}

Generated from the connector's catalog: change that and export again, not these files. The guide,
step by step, is `docs/make.md` in the connector's repository.

{modules}

An *(instant)* module comes with a webhook of its own, which asks for the same as the module without that
word. Making it subscribes at the connector, deleting it ends that. Events are sent by the connector's
worker, so one has to run.

A profile has the same fields here as anywhere else in the connector. What it finds beyond those
comes after them; Make learns such fields from the first run.

## Set the address

The app asks the connector at `{base_url}`. Copy this folder, and in the copy
put the public address of your connector in its place:

```sh
sed -i.bak 's#{base_url}#https://YOUR-ADDRESS#g' {files}
```

It must be an HTTPS address that Make can reach, and end without a slash.

## Deploy

With the [Make Apps Editor for Visual Studio Code]({guide}):

1. In Make, create an empty app. Its name is for you to choose; leave other companies' names out.
2. Open the copy, and add your app to `origins` in `makecomapp.json`, with the address of your own
   zone. The last file holds your API token for Make: keep it out of Git.

   ```json
   {{
     "label": "Production",
     "baseUrl": "https://eu1.make.com/api",
     "appId": "YOUR-APP-ID",
     "appVersion": 1,
     "apikeyFile": ".secrets/apikey"
   }}
   ```

3. Right-click `makecomapp.json` and choose to deploy. New components are created in the app.
4. Make a connection with an API key of the profile API. It is tested by `GET /{platform}/me`,
   which costs nothing.

## Keep it private

Leave the app private, or publish it for people that you invite by link. It isn't meant to be
listed: Make lists no app that passes requests on to somebody else's API, and no app that carries
the name of a service it doesn't belong to. So none is in the app's or in its modules' names.

## Errors

{errors}

The connector answers within {deadline} seconds, and Make waits for {timeout}.
"""
