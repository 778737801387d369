"""A page at work: what is known of it between two steps, and how a mistake of the program's is kept to one page.

Knows nothing of the queue.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from diffdesk.core.errors import Cancelled, UserError
from diffdesk.store import DeskContent, DeskRow, Store

T = TypeVar("T")
log = logging.getLogger(__name__)
BUG = ("The page could not be corrected", "Something went wrong in the program.", "Try the page again.")


@dataclass(slots=True)
class Reading:
    """A page that is being read."""

    row: DeskRow
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Correcting:
    """A page that the engine has, or will have as soon as its image is there.

    Attributes:
        content: what was read; None until it is there.
        image: the page's image file.
        held: keeps that file in its place.
        is_prepared: the engine can be asked.
        is_done: what came of it is on its way to the store.
        run: its number at the engine; None while the engine doesn't have it.
        tries: how often the engine was asked.
    """

    row: DeskRow
    stop: threading.Event = field(default_factory=threading.Event)
    content: DeskContent | None = None
    image: Path | None = None
    held: ExitStack = field(default_factory=ExitStack)
    is_prepared: bool = False
    is_done: bool = False
    run: int | None = None
    tries: int = 0


def safe(work: Callable[[], T]) -> Callable[[], T]:
    """A mistake of the program's costs a page, and doesn't end the work on the queue."""

    def done() -> T:
        try:
            return work()
        except (Cancelled, UserError):
            raise
        except Exception as error:
            log.exception("a page broke")
            raise UserError(*BUG, "".join(traceback.format_exception(error))) from error

    return done


def safe_with(work: Callable[[Store], T]) -> Callable[[Store], T]:
    """The same for what is done with the store."""
    return lambda store: safe(lambda: work(store))()
