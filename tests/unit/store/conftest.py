"""A store in a throw-away folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from diffdesk.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new, empty store."""
    with Store.open(tmp_path / "profile") as opened:
        yield opened
