"""Lists as spreadsheets read them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.web.lists import csv_listed
from schemas.fields import declared_fields
from schemas.history import HistoryRow

KEYS = list(declared_fields(HistoryRow))


def row(**values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(KEYS), **values}


def table(*rows: dict[str, Any]) -> str:
    return csv_listed(list(rows), None, HistoryRow).get_data(as_text=True)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_table_is_csv_by_rfc_4180() -> None:
    """A line of keys, lines that end with CR and LF, quotes where they are needed, nothing for null."""
    written = table(row(id="1", handle='a"b,c', stats_follower_count=-5), row(id="2"))
    assert written == f'{",".join(KEYS)}\r\n1,"a""b,c",,,,-5,,\r\n2,,,,,,,\r\n'
    assert csv_listed([], None, HistoryRow).headers["Content-Type"] == "text/csv; charset=utf-8"
    assert table() == f"{','.join(KEYS)}\r\n"


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("https://evil.example","x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠SUM",
    ],
)
def test_text_that_a_spreadsheet_would_run_is_shown(text: str) -> None:
    """Names and ids are strangers' words; a count below zero stays a number."""
    (found,) = read(table(row(handle=text, user_id=text, hearts=-1)))
    assert (found["handle"], found["user_id"], found["hearts"]) == (f"'{text}", f"'{text}", "-1")


@given(st.text(), st.text())
def test_any_text_stays_in_its_cell(handle: str, user_id: str) -> None:
    """Whatever it holds, it starts no other cell and no other line."""
    (found,) = read(table(row(handle=handle, user_id=user_id, status="found")))
    assert found["handle"].removeprefix("'") == handle.removeprefix("'")
    assert found["user_id"].removeprefix("'") == user_id.removeprefix("'")
    assert found["status"] == "found"
