"""The differences of pages as a table for spreadsheets.

UTF-8 with a byte order mark, without which Excel takes it for the system's old code page. A cell that a spreadsheet
would take for a formula (it begins with = + - @, a tab or a carriage return) gets an apostrophe before it, as OWASP
advises: scanned text comes from anywhere, and ``=HYPERLINK(…)`` on a page must not become a link that acts. The price
is that "-5" is written as "'-5"; numbers of our own (line, certainty) are never guarded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from diffdesk.documents.exports.export_page import ExportPage

HEADER = ("page", "line", "before", "after", "decision", "certainty")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(pages: Iterable[ExportPage], part: Path) -> None:
    """Write a row for each difference, under a row of names."""
    with part.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for one in (difference for page in pages for difference in page.differences):
            certainty = "" if one.certainty is None else f"{one.certainty:.3f}"
            cells = (_guarded(one.page), one.line, _guarded(one.before), _guarded(one.after))
            table.writerow([*cells, one.decision, certainty])


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
