"""Models of these tests are tiny: more threads would only wait for each other, most of all on a busy machine."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
