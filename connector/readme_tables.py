"""The README's tables, gathered from the places that declare their content."""

from __future__ import annotations

from connector import bootstrap, config
from connector.exports.readme import catalog_table, fields_table, table, video_keys
from connector.web import errors


def readme_tables() -> dict[str, str]:
    """Each table by the name of its marker."""
    return {
        "catalog": catalog_table(),
        "fields": fields_table(),
        "video-keys": video_keys(),
        "errors": table(
            ("status", "`error_code`", "`retryable`", "what to do"),
            (
                (status, f"`{code}`", str(retryable).lower(), advice)
                for status, code, retryable, advice in errors.documented()
            ),
        ),
        "settings": table(
            ("variable", "default", "what it is"),
            (
                (f"`{name}`", f"`{default}`" if default else "", text)
                for name, default, text in config.documented()
            ),
        ),
        "reserved-handles": table(
            ("handle", "what happens"),
            ((f"`{handle}`", what) for handle, what in bootstrap.reserved_handles()),
        ),
        "sample-handles": ", ".join(f"`{handle}`" for handle in bootstrap.sample_handles()),
    }
