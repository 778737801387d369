"""The rewriter on the lanes of a running program, and the noisy lines that the tests give it."""

from __future__ import annotations

from dataclasses import dataclass

from pytestqt.qtbot import QtBot

from diffdesk.store import RewriteRow, RowState
from diffdesk.ui.app import Program
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.rewrite.rewrite_presenter import RewritePresenter
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.sheet_state import SheetState
from diffdesk.workers.store_lane import StoreLane

NOISY = [
    "Tbe quick brown f0x jumps ovcr the lazy d0g while tlie m0on rises.",
    "A sccond text about ships tbat carry grain acr0ss the wide sea.",
    "Nobody knew wbether the letter had heen sent or was still on tlie desk.",
    "The morning train was 1ate again, and tbe platform was full of pe0ple.",
    "She opened tlie window and 1istened to the rain on the old tin r0of.",
    "There is n0thing wrong with a short walk hefore dinner in the park.",
]


@dataclass(frozen=True)
class Rewriter:
    """The view, and what is behind it."""

    view: RewriteView
    presenter: RewritePresenter
    store: StoreLane

    @property
    def state(self) -> SheetState:
        """The open sheet."""
        state = self.presenter.work.state
        assert state is not None
        return state

    def rows(self) -> list[RewriteRow]:
        """The rows of the open sheet."""
        return list(self.state.rows.values())

    def wait_for_sheet(self, qtbot: QtBot) -> None:
        """Wait until a sheet is open."""
        qtbot.waitUntil(lambda: self.presenter.work.state is not None, timeout=30_000)

    def wait_until_done(self, qtbot: QtBot, rows: int) -> None:
        """Wait until that many rows need the model no more."""
        qtbot.waitUntil(lambda: sum(row.state is not RowState.WAITING for row in self.rows()) >= rows, timeout=180_000)

    def wait_until_rested(self, qtbot: QtBot) -> None:
        """Wait until no row is at work, and all that was asked of the store is done."""
        qtbot.waitUntil(lambda: not self.presenter.work.is_running, timeout=180_000)
        self.settle(qtbot)

    def settle(self, qtbot: QtBot) -> None:
        """Wait until everything that was asked of the store is done and told."""
        done: list[str] = []
        self.store.submit(lambda store: "done", done.append)
        qtbot.waitUntil(lambda: bool(done), timeout=30_000)


def open_rewriter(program: Program) -> Rewriter:
    """Go to the rewriter."""
    program.window.open_place(WindowPlace.REWRITER)
    presenter = program.controller.places.open_rewriter()
    return Rewriter(presenter.view, presenter, program.controller.store)
