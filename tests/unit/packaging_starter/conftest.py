"""One thread for torch: more would wait by spinning for a core that the workers of these tests have."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
