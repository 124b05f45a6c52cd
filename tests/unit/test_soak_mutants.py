"""The ways in which the soak breaks the product: each is where the product is put together."""

from __future__ import annotations

import pytest

from tests.soak.mutants import MUTANTS


@pytest.mark.parametrize("fault", MUTANTS)
def test_part_that_a_fault_replaces_is_there(fault: str) -> None:
    """One that was moved would go on as it is, and the soak would seem not to notice."""
    module, name, mutant = MUTANTS[fault]
    assert getattr(module, name, None) is mutant.__base__
