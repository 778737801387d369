"""The order in which people expect files to be listed: ``page 2`` before ``page 10``. Knows nothing of files."""

from __future__ import annotations

import re

NaturalKey = tuple[list[tuple[int, str]], str]


def natural_key(name: str) -> NaturalKey:
    """A key to sort names by, their digits counted as numbers and the case of their letters ignored."""
    parts = [(int(digits or 0), rest) for digits, rest in re.findall(r"(\d*)(\D*)", name.casefold())]
    # Names that differ in leading zeros or in case alone still have an order.
    return parts, name
