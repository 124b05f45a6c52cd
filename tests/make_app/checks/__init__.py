"""What Make's file schemas don't see. Each check answers the faults it finds, as sentences."""

from __future__ import annotations

from collections.abc import Callable

from tests.make_app.app import App
from tests.make_app.checks.errors import error_faults
from tests.make_app.checks.expressions import expression_faults
from tests.make_app.checks.modules import group_faults, module_faults, webhook_faults
from tests.make_app.checks.references import file_faults, id_faults, reference_faults
from tests.make_app.checks.requests import request_faults
from tests.make_app.checks.values import sample_faults
from tests.make_app.checks.wording import name_faults, wording_faults

CHECKS: tuple[Callable[[App], list[str]], ...] = (
    file_faults,
    reference_faults,
    id_faults,
    group_faults,
    module_faults,
    webhook_faults,
    request_faults,
    error_faults,
    expression_faults,
    sample_faults,
    wording_faults,
    name_faults,
)


def faults(app: App) -> list[str]:
    """Everything that any check finds."""
    return [fault for check in CHECKS for fault in check(app)]
