"""Downloads for spreadsheets: whole, streamed, and harmless in whatever opens them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.sheets import cell, sheet
from tenants.states import AccountStatus


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_sheet_is_a_file_with_a_plain_name_that_nobody_keeps() -> None:
    answer = sheet("Brightwater Logistics/…\r\n: runs", ["Name"], [])
    assert answer["Content-Disposition"] == 'attachment; filename="Brightwater-Logistics------runs.csv"'
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")


def test_rows_come_out_as_they_went_in() -> None:
    rows = [['Zoë, "the" Fitzgerald-Ruiz', 12, None], ["山田 花子\nhere", -3, True]]
    content = b"".join(sheet("x", ["Name", "Number", "Known"], rows).streaming_content)
    assert content.startswith(b"\xef\xbb\xbf")
    assert read(content) == [
        ["Name", "Number", "Known"],
        ['Zoë, "the" Fitzgerald-Ruiz', "12", ""],
        ["山田 花子\nhere", "-3", "yes"],
    ]


def test_rows_are_sent_as_they_are_read() -> None:
    taken = []

    def rows() -> Iterator[list[int]]:
        for number in range(3):
            taken.append(number)
            yield [number]

    lines = iter(sheet("x", ["Number"], rows()).streaming_content)
    next(lines)
    next(lines)
    assert taken == [0]


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "\x00="])
def test_what_a_spreadsheet_would_execute_is_a_text(beginning: str) -> None:
    assert cell(f"{beginning}cmd|'/c calc'!A1").startswith("'")


@given(st.text())
def test_no_text_begins_a_formula_and_none_is_lost(text: str) -> None:
    written = cell(text)
    assert written[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert written in (text.replace("\x00", ""), "'" + text.replace("\x00", ""))


def test_moments_are_written_in_utc_and_words_as_they_are() -> None:
    here = datetime(2026, 11, 23, 10, 42, tzinfo=timezone(timedelta(hours=1)))
    assert (cell(here), cell(datetime(2026, 11, 23, 9, 0, tzinfo=UTC))) == (
        "2026-11-23 09:42:00",
        "2026-11-23 09:00:00",
    )
    assert cell(AccountStatus.ACTIVE) == "active"
