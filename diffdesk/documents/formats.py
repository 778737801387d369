"""Which files can be opened; a module of its own, so that a file dialog need not load the image library."""

from __future__ import annotations

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".heic", ".heif", ".hif")
"""Endings of the images that can be opened."""

PAGE_SUFFIXES = (*SUFFIXES, ".pdf")
"""Endings of the files that pages can be taken from."""

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm")
"""Endings of the files that are tables, whatever is in them; other files may be plain lines."""
