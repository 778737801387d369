"""How far each position of a canvas has come after a denoising step: noise, changing, settled or accepted.

Made for the eye: the sampler itself only knows "kept this step" and "drawn again". Knows nothing of models or
widgets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diffdesk.core.trace import CellState

OPINION_ENTROPY = 2.0  # nats: below this the model weighs about seven words or fewer (e² ≈ 7.4): more than noise


def classify(
    argmax: NDArray[np.int32],
    previous_argmax: NDArray[np.int32],
    entropy: NDArray[np.float32],
    accepted: NDArray[np.bool_],
    previously_accepted: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """The `CellState` of each position as uint8[L]; every argument has shape [L].

    ========  ====================  =====================  ==========
    accepted  accepted before       argmax                 state
    ========  ====================  =====================  ==========
    yes       no                    any                    ACCEPTED
    yes       yes                   as before              SETTLED
    yes       yes                   changed                CHANGING
    no        any                   any, entropy < 2 nats  CHANGING
    no        any                   any, entropy ≥ 2 nats  NOISE
    ========  ====================  =====================  ==========

    Args:
        argmax: the visible tokens after this step.
        previous_argmax: the visible tokens before it.
        entropy: nats; NaN counts as noise.
        accepted: what the sampler kept in this step.
        previously_accepted: what it kept in the step before.
    """
    is_unchanged = argmax == previous_argmax
    states = np.where(entropy < OPINION_ENTROPY, np.uint8(CellState.CHANGING), np.uint8(CellState.NOISE))
    kept = np.where(is_unchanged, np.uint8(CellState.SETTLED), np.uint8(CellState.CHANGING))
    states = np.where(accepted, kept, states)
    states[accepted & ~previously_accepted] = CellState.ACCEPTED
    return states.astype(np.uint8)
