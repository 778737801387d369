"""Turns the libraries' ways of saying "out of memory" into one error that the user can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from diffdesk.core.errors import EngineError

_SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "unable to mmap", "cannot allocate memory")


@contextmanager
def memory_errors_explained(doing: str, let_go: Callable[[], None] | None = None) -> Iterator[None]:
    """Raise `EngineError` in place of an allocation that failed; `doing` completes "not enough memory to …".

    `let_go` is called then, to free what can be spared.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_memory_error(error):
            raise
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if let_go is not None:
            let_go()
        if on_gpu:
            torch.cuda.empty_cache()
        raise not_enough_memory(doing, details=str(error), on_gpu=on_gpu) from error


def is_memory_error(error: BaseException) -> bool:
    """Whether an allocation failed, on the device or on the host."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError | OSError) and any(sign in text for sign in _SIGNS)


def not_enough_memory(doing: str, text: str = "", details: str = "", on_gpu: bool = False) -> EngineError:
    """The error for too little memory."""
    where = "the graphics card" if on_gpu else "this computer"
    return EngineError(
        f"Not enough memory to {doing}",
        text or f"The memory of {where} is full.",
        "Close other programs, use a shorter conversation or fewer images, or choose a smaller model.",
        details,
    )
