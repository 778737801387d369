"""Makes an environment look like the base install: what only the extra `gpu` brings is not there.

Python imports a module of this name at its start when its folder is on PYTHONPATH, so every process that a test
starts is reached, the engine's too. Modules and metadata of all distributions in packaging/requirements-gpu.lock
are hidden, as if they had never been installed. Standard library only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import DistributionFinder, PathDistribution

_LOCK = Path(__file__).parents[2] / "packaging" / "requirements-gpu.lock"
# Modules that are not called as their distribution.
_OTHER_NAMES = frozenset({"markdown_it", "pkg_resources", "torchgen", "functorch"})

HIDDEN = frozenset(re.findall(r"^([a-z0-9-]+)==", _LOCK.read_text(encoding="utf-8"), re.MULTILINE))
HIDDEN_MODULES = frozenset(one.replace("-", "_") for one in HIDDEN) | _OTHER_NAMES


class BaseFinder(PathFinder):
    """Finds what the path holds, but for what is hidden."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the original, None for a hidden module."""
        if fullname.partition(".")[0] in HIDDEN_MODULES:
            return None
        return super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, context: DistributionFinder.Context | None = None) -> Iterable[PathDistribution]:
        """As the original, without hidden distributions."""
        found = super().find_distributions() if context is None else super().find_distributions(context)
        return (one for one in found if re.sub(r"[-_.]+", "-", one.name).lower() not in HIDDEN)


sys.meta_path[:] = [BaseFinder if one is PathFinder else one for one in sys.meta_path]
