"""Corrected pages as files: text, Markdown, hOCR, ALTO, searchable PDF, DOCX, and a table of the differences.

Knows nothing of Qt, of models and of how a page came to be corrected; originals are only read.
"""

from diffdesk.documents.exports.export_page import Decision, ExportedDifference, ExportKind, ExportPage, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.placing import page_of_text, placed
from diffdesk.documents.exports.reflow import text_of

__all__ = [
    "Decision",
    "ExportKind",
    "ExportPage",
    "ExportedDifference",
    "TextOptions",
    "export_pages",
    "page_of_text",
    "placed",
    "text_of",
]
