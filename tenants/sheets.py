"""Downloads for spreadsheets: rows as CSV, sent while they are read, with nothing in them that would be executed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from django.http import StreamingHttpResponse

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet may take a text that begins so for a formula, and execute what a stranger wrote into a name."""

_MARK = "\ufeff"
"""Without it, Excel reads UTF-8 as something else."""


def sheet(name: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """Return rows as a CSV file to download, named `name`.csv; `rows` is best an iterator over the database.

    Moments are written in UTC, nothing as an empty cell.
    """
    response = StreamingHttpResponse(_lines(heads, rows), content_type="text/csv; charset=utf-8")
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "-" for letter in name)
    response["Content-Disposition"] = f'attachment; filename="{plain}.csv"'
    response["Cache-Control"] = "no-store"
    return response


class _Line:
    """Take one line from the writer and hand it on."""

    def write(self, line: str) -> str:
        return line


def _lines(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield _MARK + writer.writerow([cell(head) for head in heads])
    for row in rows:
        yield writer.writerow([cell(value) for value in row])


def cell(value: object) -> str:
    """Return how a value is written: a text that a spreadsheet could execute begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    text = str(value).replace("\x00", "")
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
