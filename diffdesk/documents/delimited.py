"""CSV and its kin, to the letter: a file is cut into records where it stands, so that what isn't changed stays exact.

A field is quoted if its closing quotation mark is followed by a delimiter or the end of the line; any other mark is an
ordinary character. So no stray mark swallows the lines after it. A line end is what ends most lines: where a file has
line feeds, a carriage return alone is a character. Knows nothing of files and encodings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from diffdesk.core.errors import TableError
from diffdesk.documents.table import is_header, unique_names
from diffdesk.documents.table_text import without_lone

MOST_COLUMNS = 4096
_DELIMITERS = (",", ";", "\t", "|")
_HINT = re.compile(r"sep=([,;\t|])(\r?\n|\r)")  # the first line that some spreadsheets write
_PROBED = 200  # records that a dialect is guessed from
_PROBED_CHARACTERS = 1 << 18
_NUMBER = re.compile(r"\s*[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d+)?\s*%?\s*")
_FORMULA = re.compile(r"[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written.

    Attributes:
        delimiter: between fields.
        line_end: after records.
        quotes_all: every text is in quotation marks, not only where it has to be.
        preamble: characters before the first record.
    """

    delimiter: str
    line_end: str
    quotes_all: bool = False
    preamble: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its fields, its characters [start, end) without the line end, and where the next one begins."""

    fields: tuple[str, ...]
    start: int
    end: int
    next: int


@dataclass(frozen=True, slots=True)
class Delimited:
    """What was read of a file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    has_header: bool
    width: int


def find_dialect(text: str, *, prefers_tabs: bool = False) -> Dialect:
    """The dialect of a file, guessed from its beginning."""
    line_end = _line_end(text)
    hint = _HINT.match(text)
    if hint:
        found = Dialect(hint[1], line_end, preamble=hint.end())
    else:
        order = ("\t", *_DELIMITERS) if prefers_tabs else _DELIMITERS
        scores = {one: _score(text, Dialect(one, line_end)) for one in dict.fromkeys(order)}
        best = max(scores, key=lambda one: scores[one])
        found = Dialect(best if scores[best] > (0, 0) else _unused(text, order, line_end), line_end)
    return Dialect(found.delimiter, line_end, _quotes_all(text, found), found.preamble)


def read_delimited(text: str, dialect: Dialect, has_header: bool | None) -> Delimited:
    """Columns and rows; None guesses whether there is a header. Raises `TableError` for a row that is none."""
    found = [one for one in records(text, dialect) if one.start < one.end]
    if not found:
        return Delimited((), (), bool(has_header), 0)
    width = 0
    for one in found:
        width = max(width, len(one.fields))
        if width > MOST_COLUMNS:
            line = text.count("\n", 0, one.start) + 1
            raise TableError(
                "This is not a table that can be worked on",
                f"The row on line {line} has more than {MOST_COLUMNS:,} cells.",
                "Check that file's delimiter and quotation marks.",
            )
    first = found[0].fields
    if has_header is None:
        has_header = is_header(first, [one.fields for one in found[1:_PROBED]])
    head = first if has_header else ()
    columns = unique_names([*map(without_lone, head), *[""] * (width - len(head))])
    padding = ("",) * width
    rows = tuple((one.fields + padding)[:width] for one in (found[1:] if has_header else found))
    return Delimited(columns, rows, has_header, width)


def with_columns(
    text: str, dialect: Dialect, width: int, head: Sequence[str] | None, added: Sequence[Sequence[str]]
) -> str:
    """The file's text with a cell for each added column after every record; everything else stays to the letter.

    Args:
        text: the whole file.
        dialect: of it.
        width: cells of its longest record: shorter ones are filled up, so that the new cells stand in one column.
        head: names for the first record, if it is a header.
        added: for each column a text for each row.
    """
    pieces = [text[: dialect.preamble]]
    row = -1 if head is not None else 0
    for one in records(text, dialect):
        pieces.append(text[one.start : one.end])
        if one.start < one.end:
            cells = head if row < 0 and head is not None else [values[row] for values in added]
            pieces.append(dialect.delimiter * (width - len(one.fields)))
            pieces += [dialect.delimiter + _quoted(cell, dialect) for cell in cells]
            row += 1
        pieces.append(text[one.end : one.next])
    return "".join(pieces)


def harmless(value: str) -> str:
    """A text that no spreadsheet takes for a formula, with an apostrophe before it where one would; numbers stay."""
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value


def records(text: str, dialect: Dialect) -> Iterator[Record]:
    """All records in order, blank lines among them as records of no characters; together they are the text."""
    pattern = _pattern(dialect)
    start = at = dialect.preamble
    fields: list[str] = []
    is_open = False  # after a delimiter a field follows, even at the end of the text
    while at < len(text) or is_open:
        match = pattern.match(text, at)
        if match is None:
            raise AssertionError("a field can always be read")
        quoted, plain, separator = match.groups()
        fields.append(without_lone(plain if quoted is None else quoted.replace('""', '"')))
        at = match.end()
        is_open = separator == dialect.delimiter
        if not is_open:
            yield Record(tuple(fields), start, match.start(3), at)
            start, fields = at, []


def _pattern(dialect: Dialect) -> re.Pattern[str]:
    delimiter = re.escape(dialect.delimiter)
    # Where lines end with a line feed, the carriage return before it is no part of the field.
    end, plain = (
        (r"\r", rf"[^{delimiter}\r]*+")
        if dialect.line_end == "\r"
        else (r"\r?\n", rf"[^{delimiter}\r\n]*+(?:\r(?!\n)[^{delimiter}\r\n]*+)*+")
    )
    stop = rf"{delimiter}|{end}|\Z"
    return re.compile(rf'(?:"([^"]*+(?:""[^"]*+)*+)"(?={stop})|({plain}))({stop})')


def _line_end(text: str) -> str:
    at = text.find("\n")
    if at < 0:
        return "\r" if "\r" in text else "\n"
    return "\r\n" if text[at - 1 : at] == "\r" else "\n"


def _probe(text: str, dialect: Dialect) -> list[Record]:
    part = text[:_PROBED_CHARACTERS]
    found = [one for one in islice(records(part, dialect), _PROBED) if one.start < one.end]
    is_cut = len(part) < len(text) and len(found) > 1 and found[-1].next == len(part)
    return found[:-1] if is_cut else found


def _score(text: str, dialect: Dialect) -> tuple[float, int]:
    """How well records agree on a number of cells, and that number; (0, 0) if the first record has one cell."""
    found = _probe(text, dialect)
    width = len(found[0].fields) if found else 1
    if width < 2:
        return 0, 0
    agreement = sum(1.0 if len(one.fields) == width else 0.3 * (len(one.fields) > 1) for one in found)
    return round(agreement / len(found), 2), width


def _unused(text: str, order: Sequence[str], line_end: str) -> str:
    """For a file of one column: a delimiter that cuts none of its rows."""
    for one in order:
        if all(len(record.fields) == 1 for record in records(text, Dialect(one, line_end))):
            return one
    return order[0]


def _quotes_all(text: str, dialect: Dialect) -> bool:
    """Whether every field that is no number stands in quotation marks."""
    has_quotes = False
    for one in _probe(text, dialect):
        raw = text[one.start : one.end]
        is_quoted = raw.count('"') >= 2 * sum(1 for cell in one.fields if cell and not _NUMBER.fullmatch(cell))
        if not is_quoted or (raw[:1] != '"' and not _NUMBER.fullmatch(one.fields[0]) and one.fields[0]):
            return False
        has_quotes = has_quotes or '"' in raw
    return has_quotes


def _quoted(value: str, dialect: Dialect) -> str:
    needs_quotes = dialect.quotes_all or any(one in value for one in (dialect.delimiter, '"', "\n", "\r"))
    return '"' + value.replace('"', '""') + '"' if needs_quotes else value
