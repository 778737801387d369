"""Corrected pages as files: text, Markdown, hOCR, ALTO, searchable PDF, DOCX, and a table of the differences.

Knows nothing of Qt, of models and of how a page came to be corrected; originals are only read.
"""
