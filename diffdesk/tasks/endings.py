"""How work on a text comes to its end: done, stopped, or failed with an error that the user can act on."""

from __future__ import annotations

from collections.abc import Generator

from diffdesk.core.errors import Cancelled, UserError
from diffdesk.core.events import FinishReason, RunEvent


def run_to_end(
    work: Generator[RunEvent, None, FinishReason],
) -> Generator[RunEvent, None, tuple[FinishReason, UserError | None]]:
    """The events of `work`; returns why it ended, and the error if it failed."""
    try:
        return (yield from work), None
    except Cancelled:
        return FinishReason.CANCELLED, None
    except UserError as error:
        return FinishReason.FAILED, error
