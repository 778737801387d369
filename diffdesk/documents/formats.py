"""Which image files can be opened; a module of its own, so that a file dialog need not load the image library."""

from __future__ import annotations

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")
"""Endings of the files that can be opened."""
