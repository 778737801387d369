"""Which rows of a canvas are worth computing: after the first steps most of a canvas has settled.

A row rests once its token is the most probable one, was accepted and drawn, and stands there with hardly any entropy.
Rows after an end of the text that rests say nothing and rest as well. A resting row keeps the token that its keys and
values were computed for, so the others can go on seeing it without it being computed again, until the next full step.
Knows nothing of models.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.denoiser import StepResult
from diffdesk.core.trace import Region

T = TypeVar("T", bound=np.generic)

REST_ENTROPY = 0.02  # nats, below which a row may rest
ROW_STEP = 16  # rows are computed in multiples of this: backends plan their work for a few sizes
_MOST = 0.75  # share of the canvas from which on the whole is computed


class Rest:
    """What rests in one canvas of `length` positions.

    Args:
        refresh: every such step is a full one; 1 never lets anything rest.
    """

    def __init__(self, length: int, refresh: int) -> None:
        self._length = length
        self._refresh = refresh
        self._resting = np.zeros(length, np.bool_)

    @property
    def is_active(self) -> bool:
        """Whether rows may rest at all."""
        return self._refresh > 1

    def rows(self, step: int, entropy: NDArray[np.float32] | None) -> NDArray[np.int64]:
        """int64[R] rows to be computed at step `step` (from 1), ascending; `entropy` float32[L] of the last step."""
        everything = np.arange(self._length)
        awake = int((~self._resting).sum())
        wanted = -(-awake // ROW_STEP) * ROW_STEP
        is_full = not self.is_active or step % self._refresh == 0 or not awake
        if entropy is None or is_full or wanted > _MOST * self._length:
            return everything
        # The least sure of those that rest fill up the number.
        order = np.lexsort((-entropy, self._resting))
        return np.sort(order[:wanted])

    def look(
        self,
        rows: NDArray[np.int64],
        canvas: NDArray[np.int32],
        result: StepResult,
        kept: NDArray[np.bool_],
        regions: NDArray[np.uint8],
    ) -> None:
        """Take in a step: which `rows` were computed, the canvas that went in, what is known of all positions since."""
        if not self.is_active:
            return
        calm = kept & (result.argmax == canvas) & (result.sampled == canvas) & (result.entropy < REST_ENTROPY)
        self._resting[rows] = calm[rows]
        after = np.flatnonzero(regions == Region.AFTER_END)
        if after.size and (after[0] == 0 or self._resting[after[0] - 1]):
            self._resting[after] = True

    def settle(self, canvas: NDArray[np.int32], before: NDArray[np.int32]) -> NDArray[np.int32]:
        """The canvas for the next step: what rests keeps the token that it held `before`."""
        return np.where(self._resting, before, canvas).astype(np.int32)


def merged(whole: StepResult | None, rows: NDArray[np.int64], part: StepResult) -> StepResult:
    """What is known of all positions after some rows were stepped again."""
    if whole is None or len(part.argmax) == len(whole.argmax):
        return part
    return StepResult(
        argmax=_put(whole.argmax, rows, part.argmax),
        sampled=_put(whole.sampled, rows, part.sampled),
        entropy=_put(whole.entropy, rows, part.entropy),
        probability=_put(whole.probability, rows, part.probability),
        kept_probability=_put(whole.kept_probability, rows, part.kept_probability),
        alternatives=_put(whole.alternatives, rows, part.alternatives),
        alternative_probabilities=_put(whole.alternative_probabilities, rows, part.alternative_probabilities),
    )


def _put(old: NDArray[T], rows: NDArray[np.int64], new: NDArray[T]) -> NDArray[T]:
    made = old.copy()
    made[rows] = new
    return made
