"""Packed folders are made once for all tests."""

from __future__ import annotations

import pytest

from tests.unit.backends.packed.packed_folders import Pairs


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    return Pairs(tmp_path_factory.mktemp("packed"))
