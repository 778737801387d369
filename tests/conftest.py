"""What every ring of tests shares: a throw-away profile, and examples that are the same on every run.

It must not know the program: no import of `diffdesk`, no Qt. Rings have their own conftest for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Before any test module imports Qt: no test opens a real window. A value from outside wins.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A failure must be repeatable by whoever reads it, on a machine of any speed: fixed examples, no deadline.
settings.register_profile(
    "diffdesk", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("diffdesk")


@pytest.fixture(scope="session", autouse=True)
def throw_away_profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests, and every process they start, out of the profile of whoever runs them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFDESK_DATA_DIR", str(home / "diffdesk"))
        for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.setenv(variable, str(home / variable.lower()))
        yield
