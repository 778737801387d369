"""Whether the tensors of a GGUF file are those that its hyperparameters ask for. Knows nothing of either's meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from diffdesk.backends.gguf.faults import AGAIN, damaged, few
from diffdesk.backends.gguf.reader import StoredTensor
from diffdesk.backends.gguf.types import TensorType
from diffdesk.core.errors import CheckpointError

PLAIN = frozenset({TensorType.F32, TensorType.F16, TensorType.BF16})  # what vectors are stored in
TENSOR_ALIGNMENT = 32  # bytes, ggml's


def matched(
    path: Path,
    found: Mapping[str, StoredTensor],
    expected: Mapping[str, tuple[int, ...]],
    surplus_error: Callable[[str], CheckpointError],
    is_vector: Callable[[str], bool] = lambda _name: False,
) -> dict[str, StoredTensor]:
    """The tensors of the file `path`, each with the shape that is expected, in the file's order.

    Args:
        path: for messages.
        found: the tensors that are there.
        expected: the shapes, each with a row's length first.
        surplus_error: what is said of tensors that are not expected; it gets the names of some.
        is_vector: which tensors of more than one axis are computed with as vectors are, as plain numbers.

    Raises `CheckpointError` where tensors are missing or not expected, have another shape, are vectors in a compressed
    format, or lie where ggml can't use them.
    """
    missing = [name for name in expected if name not in found]
    if missing:
        raise CheckpointError("Weights are missing", f"{path.name} has no {few(missing)}.", AGAIN)
    surplus = [name for name in found if name not in expected]
    if surplus:
        raise surplus_error(few(surplus))
    wrong = [
        f"{name} {list(one.shape)} instead of {list(expected[name])}"
        for name, one in found.items()
        if _shortened(one.shape) != _shortened(expected[name])
    ]
    if wrong:
        raise CheckpointError("The weights don't fit the description", f"{few(wrong)} in {path.name}.", AGAIN)
    odd = [
        f"{name} ({one.kind.name})"
        for name, one in found.items()
        if (len(_shortened(one.shape)) == 1 or is_vector(name)) and one.kind not in PLAIN
    ]
    if odd:
        raise CheckpointError(
            "Some weights are stored too coarsely", f"{few(odd)} should be F32, F16 or BF16 in {path.name}.", AGAIN
        )
    skewed = [name for name, one in found.items() if one.offset % TENSOR_ALIGNMENT]
    if skewed:
        raise damaged(path, f"does not align its tensors by {TENSOR_ALIGNMENT} bytes: {few(skewed)}")
    return {name: replace(one, shape=expected[name]) for name, one in found.items()}


def _shortened(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without ones at the end, which some programs write and others don't."""
    end = len(shape)
    while end > 1 and shape[end - 1] == 1:
        end -= 1
    return shape[:end]
