"""A field is one statement in `schemas/`: all that is generated has it without another change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from connector.generated import KINDS, generated_files
from schemas.catalog import CATALOG, Catalog
from schemas.fields import Text, field
from schemas.inputs import ProfileInput
from schemas.profile import ProfileRow

ROOT = Path(__file__).parents[2]


class LongerInput(ProfileInput):
    """One input more."""

    shoe_colour = field(Text, label="Shoe colour", sample="red", help="What to wear.")


class LongerRow(ProfileRow):  # type: ignore[misc,valid-type]  # it is made at run time
    """One key more."""

    user_hat_size = field(
        Text, "user.hatSize", label="Hat size", sample="XL", help="How large the hat is."
    )


@pytest.fixture
def catalog() -> Catalog:
    longer = {"input": LongerInput, "output": LongerRow}
    return replace(
        CATALOG,
        actions=tuple(replace(action, **longer) for action in CATALOG.actions),
        searches=tuple(replace(search, **longer) for search in CATALOG.searches),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_new_field_is_everywhere(kind: str, catalog: Catalog) -> None:
    """Output and input alike, with what a person reads of it."""
    before = "".join(generated_files(kind, ROOT).values()).lower()
    after = "".join(generated_files(kind, ROOT, catalog).values()).lower()
    for text in ("user_hat_size", "hat size", "shoe_colour", "shoe colour", "what to wear."):
        assert text not in before
        assert text in after
