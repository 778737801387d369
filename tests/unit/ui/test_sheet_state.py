"""An open sheet: what the model gives, what the user decides, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from diffdesk.core.errors import EngineError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunStats
from diffdesk.store import RewriteRow, RowState, SheetRow
from diffdesk.ui.rewrite.rewrite_views import RowSign, Work
from diffdesk.ui.rewrite.sheet_state import EDITED, UNSETTLED, SheetState

DONE = Finished(FinishReason.END_TOKEN, RunStats())


def sheet(columns: tuple[str, ...] = ("text",), chosen: tuple[int, ...] = (0,)) -> SheetRow:
    return SheetRow(1, "in.csv", "csv", "0" * 64, columns, 3, "", True, chosen, "Shorten it.", "", 0.0, 0.0)


def state_of(*states: RowState) -> SheetState:
    rows = [
        RewriteRow(number, 0, f"text {number}", "" if state in BLANK else f"answer {number}", state)
        for number, state in enumerate(states)
    ]
    return SheetState(sheet(), rows)


BLANK = (RowState.WAITING, RowState.FAILED)


def states(state: SheetState) -> list[RowState]:
    return [row.state for row in state.rows.values()]


def test_decisions_are_taken_back_one_by_one_without_end() -> None:
    state = state_of(*[RowState.DONE] * 3)
    before = dict(state.rows)
    state.accept([(0, 0), (1, 0)])
    state.reject([(1, 0)])
    state.edit((2, 0), "mine")
    state.redo([(0, 0)], "shorter")
    assert states(state) == [RowState.WAITING, RowState.REJECTED, RowState.ACCEPTED]
    assert (state.rows[2, 0].answer, state.rows[2, 0].note) == ("mine", EDITED)
    assert (state.rows[0, 0].answer, state.rows[0, 0].note) == ("", "shorter")
    assert [row.key for row in state.undo()] == [(0, 0)]
    assert [row.key for row in state.undo()] == [(2, 0)]
    assert [row.key for row in state.undo()] == [(1, 0)]
    assert states(state) == [RowState.ACCEPTED, RowState.ACCEPTED, RowState.DONE]
    state.undo()
    assert state.rows == before
    assert not state.is_undoable
    assert state.undo() == []


def test_only_what_has_a_result_can_be_accepted() -> None:
    state = state_of(RowState.WAITING, RowState.FAILED, RowState.REJECTED, RowState.DONE)
    changed = state.accept(state.rows)
    assert [row.key for row in changed] == [(2, 0), (3, 0)]
    assert state.accept(state.rows) == []
    failed = state.reject([(0, 0), (1, 0)])
    assert [row.key for row in failed] == [(1, 0)]


@pytest.mark.parametrize(
    ("finished", "answer", "expected"),
    [
        (DONE, "better", (RowState.DONE, "better", "")),
        (DONE, "text 0", (RowState.ACCEPTED, "text 0", "")),
        (
            Finished(FinishReason.END_TOKEN, RunStats(unsettled_canvases=1)),
            "better",
            (RowState.DONE, "better", UNSETTLED),
        ),
    ],
)
def test_a_result_waits_for_a_decision_unless_nothing_changed(
    finished: Finished, answer: str, expected: tuple[RowState, str, str]
) -> None:
    row = state_of(RowState.WAITING).outcome((0, 0), Finished(finished.reason, finished.stats, answer), answer)
    assert row is not None
    assert (row.state, row.answer, row.note) == expected


@pytest.mark.parametrize(
    "finished",
    [
        Finished(FinishReason.FAILED, RunStats(), error=EngineError("Title", "Text.", "Remedy.")),
        Finished(FinishReason.END_TOKEN, RunStats(), "text 0", state=AnswerState.DECLINED, notes=("Not for me.",)),
        Finished(FinishReason.END_TOKEN, RunStats(), state=AnswerState.EMPTY),
        Finished(FinishReason.NOT_SETTLED, RunStats(), "noise"),
    ],
)
def test_what_gives_no_text_says_why_in_its_row(finished: Finished) -> None:
    state = state_of(RowState.WAITING)
    row = state.outcome((0, 0), finished, finished.answer)
    assert row is not None
    state.put([row])
    (view,) = state.row_views()
    assert view.sign is RowSign.FAILED
    assert view.error is not None
    assert view.error.title
    assert view.answer == ""


def test_a_result_that_comes_after_the_users_decision_changes_nothing() -> None:
    state = state_of(RowState.WAITING)
    state.working.add((0, 0))
    state.edit((0, 0), "mine")
    assert state.outcome((0, 0), DONE, "the model's") is None
    assert state.rows[0, 0].answer == "mine"
    assert not state.working


def test_what_is_at_work_is_not_given_out_again_and_cannot_be_redone() -> None:
    state = state_of(RowState.WAITING, RowState.WAITING)
    state.working.add((0, 0))
    assert [row.key for row in state.waiting()] == [(1, 0)]
    assert [view.sign for view in state.row_views()] == [RowSign.WORKING, RowSign.WAITING]
    assert state.redo([(0, 0)], "") == []


@pytest.mark.parametrize(
    ("found", "work"),
    [
        ([RowState.WAITING, RowState.WAITING], Work.START),
        ([RowState.ACCEPTED, RowState.WAITING], Work.RESUME),
        ([RowState.FAILED, RowState.DONE], Work.RETRY),
        ([RowState.ACCEPTED, RowState.DONE], Work.NOTHING),
    ],
)
def test_the_button_says_what_there_is_to_do(found: Sequence[RowState], work: Work) -> None:
    state = state_of(*found)
    assert state.status(is_running=False, is_pausing=False).work is work
    assert state.status(is_running=True, is_pausing=False).work is Work.PAUSE
    assert state.status(is_running=True, is_pausing=True).work is Work.PAUSING


def test_columns_are_named_only_where_there_are_several() -> None:
    rows = [RewriteRow(0, 0, "a"), RewriteRow(0, 2, "b")]
    assert [view.column for view in SheetState(sheet(("x", "y", "z"), (0, 2)), rows).row_views()] == ["x", "z"]
    assert [view.column for view in SheetState(sheet(("x", "y", "z"), (0,)), rows[:1]).row_views()] == [""]
