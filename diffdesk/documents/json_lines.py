"""JSON lines: one object a line. Keys are added at the end of each; every other character of the file stays.

Knows nothing of files and encodings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from diffdesk.core.errors import TableError
from diffdesk.documents.table_text import without_lone

_LINE = re.compile(r"([^\r\n]*)(\r?\n|\r|\Z)")
_REMEDY = "Repair that line, or leave it out."


def read_json_lines(text: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Columns (the keys that hold text in some row, in order of appearance) and rows; raises `TableError`."""
    if text.lstrip().startswith("["):
        raise TableError(
            "This is one JSON list, not JSON lines",
            "A table in JSON has one object on each line.",
            "Save it as JSON lines or CSV.",
        )
    columns: dict[str, int] = {}
    found: list[dict[str, str]] = []
    for number, (line, _) in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        texts = {key: without_lone(one) for key, one in _parsed(line, number).items() if isinstance(one, str)}
        found.append(texts)
        for key in texts:
            columns.setdefault(key, len(columns))
    return tuple(columns), tuple(tuple(texts.get(key, "") for key in columns) for texts in found)


def all_keys(text: str) -> set[str]:
    """Every key that some object has at its top."""
    return {key for number, (line, _) in enumerate(_lines(text), 1) if line.strip() for key in _parsed(line, number)}


def with_keys(text: str, names: Sequence[str], added: Sequence[Sequence[str]]) -> str:
    """The file's text with a key and value for each added column at the end of every object."""
    pieces: list[str] = []
    row = 0
    for line, end in _lines(text):
        if line.strip():
            pieces.append(_extended(line, {name: values[row] for name, values in zip(names, added, strict=True)}))
            row += 1
        else:
            pieces.append(line)
        pieces.append(end)
    return "".join(pieces)


def _extended(line: str, values: Mapping[str, str]) -> str:
    at = line.rindex("}")
    head = line[:at].rstrip()
    is_spaced = '": ' in head or head.endswith("{")
    is_plain = line.isascii() and "\\u" in line  # whoever wrote it wrote no character beyond ASCII
    said = json.dumps(values, ensure_ascii=is_plain, separators=(", ", ": ") if is_spaced else (",", ":"))
    comma = "" if head.endswith("{") else ", " if is_spaced else ","
    return f"{head}{comma}{said[1:-1]}{line[len(head) : at]}{line[at:]}"


def _lines(text: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in _LINE.finditer(text) if match.group()]


def _parsed(line: str, number: int) -> dict[str, object]:
    try:
        # Numbers are not needed, and one of very many digits would be refused.
        found = json.loads(line, parse_int=lambda _: 0, parse_float=lambda _: 0)
    except json.JSONDecodeError as error:
        raise TableError(
            f"Line {number} is no JSON", f"Character {error.pos + 1}: {error.msg.lower()}.", _REMEDY, line[:200]
        ) from error
    except RecursionError as error:
        raise TableError(f"Line {number} can't be read", "Its values are nested too deeply.", _REMEDY) from error
    if not isinstance(found, dict):
        raise TableError(f"Line {number} is no JSON object", "Each line has to be an object: {…}.", _REMEDY, line[:200])
    return found
