"""How the set-up script talks: numbered steps with their time, and failures that say what to do.

It must not know what the steps do. Standard library only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class SetupError(Exception):
    """The set-up can't go on, and the reader can do something about it.

    Args:
        text: what is wrong, in a sentence.
        remedy: what to do, in a sentence or as a command.
    """

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy


@dataclass(frozen=True)
class Step:
    """One thing to do, with the headline it is done under."""

    title: str
    action: Callable[[], None]


def say(line: str) -> None:
    """Print at once, so that our lines and those of the programs we start stay in order."""
    print(line, flush=True)


def fail(error: SetupError) -> None:
    """Print a set-up error where errors belong."""
    sys.stdout.flush()
    print(f"\nSet-up stopped: {error.text}\n{error.remedy}", file=sys.stderr, flush=True)


def carry_out(steps: Sequence[Step]) -> None:
    """Do all steps in order under "[n/m] title", each closed by its time; the first error ends it.

    An OSError becomes a `SetupError`: it comes from files that can't be written.
    """
    begin = time.monotonic()
    for number, step in enumerate(steps, start=1):
        say(f"[{number}/{len(steps)}] {step.title} …")
        start = time.monotonic()
        try:
            step.action()
        except OSError as error:
            raise SetupError(
                str(error), "Check the free space, and who owns the folder, then run this again."
            ) from error
        say(f"      done in {time.monotonic() - start:.1f} s ({time.monotonic() - begin:.0f} s so far)")
