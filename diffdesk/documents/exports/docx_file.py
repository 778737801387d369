"""A document for word processors: paragraphs of plain text, a page break between pages. Headings are not guessed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from diffdesk.documents.exports.export_page import ExportPage, TextOptions
from diffdesk.documents.exports.reflow import Layout
from diffdesk.documents.exports.xml_text import clean


def write_docx(pages: Iterable[ExportPage], part: Path, options: TextOptions, title: str) -> None:
    """Write the text of pages as a DOCX; where lines are kept, they end in line breaks."""
    # Takes a third of a second to import.
    from docx import Document

    document = Document()
    document.core_properties.title = clean(title)[:255]
    document.core_properties.author = ""
    # What python-docx says there of its own template.
    document.core_properties.comments = ""
    layout = Layout(options)
    is_first = True
    for one in pages:
        paragraphs = layout.paragraphs(one.page)
        for number, paragraph in enumerate(paragraphs):
            made = document.add_paragraph()
            # "Page break before" leaves no empty paragraph behind, as a break of its own would.
            made.paragraph_format.page_break_before = True if number == 0 and not is_first else None
            for at, line in enumerate(paragraph):
                run = made.add_run(clean(line))
                if at + 1 < len(paragraph):
                    run.add_break()
        is_first = is_first and not paragraphs
    with part.open("wb") as file:
        document.save(file)
