"""Text and Markdown: what of a page can be read without its image.

A text file has an empty line between pages as between paragraphs, so that it can be pasted anywhere; Markdown has a
rule between them. Both are UTF-8 with line feeds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from diffdesk.documents.exports.export_page import ExportPage, TextOptions
from diffdesk.documents.exports.reflow import Layout

_RULE = "---"
_HARD_BREAK = "  \n"
# Anything that could begin or end a span, a link, a tag, an entity or a cell.
_INLINE = re.compile(r"[\\`*_\[\]<>&|~$]")
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_BLOCK_MARK = re.compile(r"^([#+=:-])")


def write_text(pages: Iterable[ExportPage], part: Path, options: TextOptions) -> None:
    """Write the text of pages."""
    layout = Layout(options)
    _write(part, (text for one in pages if (text := layout.text(one.page))), "\n\n")


def write_markdown(pages: Iterable[ExportPage], part: Path, options: TextOptions) -> None:
    """Write pages as Markdown that shows their text as it is, with a rule between pages."""
    layout = Layout(options)
    made = (
        "\n\n".join(_HARD_BREAK.join(escaped(line) for line in paragraph) for paragraph in layout.paragraphs(one.page))
        for one in pages
    )
    _write(part, (text for text in made if text), f"\n\n{_RULE}\n\n")


def escaped(line: str) -> str:
    """A line of text as Markdown that shows it unchanged."""
    line = _INLINE.sub(r"\\\g<0>", line.strip())
    line = _NUMBERED.sub(r"\1\\\2", line)
    return _BLOCK_MARK.sub(r"\\\1", line)


def _write(part: Path, texts: Iterable[str], between: str) -> None:
    with part.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        is_first = True
        for text in texts:
            file.write(text if is_first else between + text)
            is_first = False
        file.write("" if is_first else "\n")
