"""What tests of documents share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from diffdesk.documents.recogniser import Recogniser


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    """One for a module of tests: starting it takes seconds."""
    made = Recogniser(idle_seconds=600)
    yield made
    made.close()
