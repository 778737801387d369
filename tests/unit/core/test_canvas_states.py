"""The state that each position of a canvas is shown in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffdesk.core.canvas_states import OPINION_ENTROPY, classify
from diffdesk.core.trace import CellState


def one(*, changed: bool, entropy: float, accepted: bool, before: bool) -> CellState:
    """The state of a single position."""
    states = classify(
        np.asarray([8 if changed else 7], np.int32),
        np.asarray([7], np.int32),
        np.asarray([entropy], np.float32),
        np.asarray([accepted]),
        np.asarray([before]),
    )
    assert states.dtype == np.uint8
    assert states.shape == (1,)
    return CellState(int(states[0]))


@pytest.mark.parametrize("changed", [True, False])
@pytest.mark.parametrize("entropy", [0.0, 5.0])
def test_a_position_accepted_for_the_first_time_is_accepted(changed: bool, entropy: float) -> None:
    assert one(changed=changed, entropy=entropy, accepted=True, before=False) is CellState.ACCEPTED


@pytest.mark.parametrize("entropy", [0.0, 5.0])
def test_a_position_accepted_again_with_the_same_token_is_settled(entropy: float) -> None:
    assert one(changed=False, entropy=entropy, accepted=True, before=True) is CellState.SETTLED


@pytest.mark.parametrize("entropy", [0.0, 5.0])
def test_a_position_accepted_again_with_another_token_is_changing(entropy: float) -> None:
    assert one(changed=True, entropy=entropy, accepted=True, before=True) is CellState.CHANGING


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("changed", [True, False])
def test_a_position_not_accepted_is_changing_only_if_the_model_has_an_opinion(changed: bool, before: bool) -> None:
    opinion, none = OPINION_ENTROPY - 0.01, OPINION_ENTROPY
    assert one(changed=changed, entropy=opinion, accepted=False, before=before) is CellState.CHANGING
    assert one(changed=changed, entropy=none, accepted=False, before=before) is CellState.NOISE
    assert one(changed=changed, entropy=float("nan"), accepted=False, before=before) is CellState.NOISE


cells = st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0, 12.5, width=32), st.booleans(), st.booleans())


@given(st.lists(cells, max_size=40))
def test_positions_do_not_depend_on_each_other(rows: list[tuple[int, int, float, bool, bool]]) -> None:
    argmax, last, entropy, accepted, before = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    states = classify(
        np.asarray(argmax, np.int32),
        np.asarray(last, np.int32),
        np.asarray(entropy, np.float32),
        np.asarray(accepted, np.bool_),
        np.asarray(before, np.bool_),
    )
    assert states.tolist() == [
        one(changed=row[0] != row[1], entropy=row[2], accepted=row[3], before=row[4]) for row in rows
    ]


def test_an_empty_canvas_has_no_states() -> None:
    nothing = np.zeros(0, np.bool_)
    ids = np.zeros(0, np.int32)
    assert classify(ids, ids, np.zeros(0, np.float32), nothing, nothing).size == 0
