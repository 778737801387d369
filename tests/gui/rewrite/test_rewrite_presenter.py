"""The rewriter's presenter on real lanes, with an engine that has no model: sheets, instructions, presets, exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from diffdesk.core.presets import PRESETS
from diffdesk.store import RewriteRow, RowState, Store
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.ui.rewrite.rewrite_presenter import LIMITED, NO_INSTRUCTION, NO_MODEL, ONE_AT_A_TIME, RewritePresenter
from diffdesk.ui.rewrite.rewrite_view import RewriteView
from diffdesk.ui.rewrite.rewrite_views import PresetView
from diffdesk.ui.rewrite.row_runner import jobs_of
from diffdesk.ui.rewrite.sheet_state import SheetState
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.workers.engine_lane import EngineLane
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.relay import Relay
from diffdesk.workers.store_lane import StoreLane
from tests.gui.window.samples import model

CSV = "id,text,place\n1,some words to be rewritten,12 High st\n2,other words that are longer,3 low rd\n"


class Desk:
    """The presenter with what it works on; `again` starts it anew on the same profile."""

    def __init__(self, themes: ThemeKeeper, qtbot: QtBot, folder: Path) -> None:
        self._qtbot = qtbot
        self.relay = Relay()
        self.store = StoreLane(folder / "profile", self.relay)
        (folder / "logs").mkdir(exist_ok=True)
        self.engine = EngineLane(folder / "logs")
        self.pool = FilePool(self.relay)
        self.window = MainWindow(themes)
        self.models = ModelPresenter(self.window, self.engine, self.pool, self.store)
        self.view = RewriteView(themes)
        self.view.resize(1000, 700)
        self.view.show()
        self.presenter = RewritePresenter(
            self.window, self.view, Lanes(self.store, self.engine, self.pool, self.models)
        )
        self.presenter.start()
        self.settle()

    @property
    def state(self) -> SheetState:
        state = self.presenter.work.state
        assert state is not None
        return state

    def settle(self) -> None:
        """Wait until everything that was asked of the store is done and told."""
        done: list[str] = []
        self.store.submit(lambda store: "done", done.append)
        self._qtbot.waitUntil(lambda: bool(done), timeout=30_000)

    def open(self, path: Path) -> None:
        before = self.presenter.work.state
        self.view.files_offered.emit([path])
        self._qtbot.waitUntil(lambda: self.presenter.work.state not in (None, before), timeout=30_000)
        self.settle()

    def close(self) -> None:
        self.presenter.close()
        self.models.close()
        self.engine.close()
        self.pool.close()
        self.store.close()
        for widget in (self.view, self.window):
            widget.close()
            widget.deleteLater()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(CSV, encoding="utf-8", newline="")
    return path


@pytest.fixture
def desk(themes: ThemeKeeper, qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(themes, qtbot, tmp_path)
    yield made
    made.close()


def test_a_sheet_is_there_after_a_restart_with_everything_and_is_not_begun(
    themes: ThemeKeeper, qtbot: QtBot, tmp_path: Path, table: Path
) -> None:
    first = Desk(themes, qtbot, tmp_path)
    first.open(table)
    first.view.instruction_changed.emit("Shorten it.")
    first.view.edited.emit((0, 1), "by hand")
    first.view.detail.show_row(first.view.rows.row(1))
    first.view.detail.begin_edit()
    first.view.detail.editor.setPlainText("half typed")
    first.close()
    second = Desk(themes, qtbot, tmp_path)
    qtbot.waitUntil(lambda: second.presenter.work.state is not None, timeout=30_000)
    assert [row.answer for row in second.state.rows.values()] == ["by hand", "half typed"]
    assert second.view.bar.instruction.toPlainText() == "Shorten it."
    assert second.view.pages.currentWidget() is not second.view.empty
    assert not second.presenter.work.is_running
    second.close()


def test_what_is_missing_is_said_before_the_work(desk: Desk, table: Path) -> None:
    desk.open(table)
    desk.view.work_pressed.emit()
    assert desk.window.banners.banners[0].error == NO_MODEL
    desk.models.view = model()
    desk.view.work_pressed.emit()
    assert desk.window.toast.text.text() == NO_INSTRUCTION
    assert not desk.presenter.work.is_running


def test_a_model_that_only_corrects_offers_only_that_and_leaves_the_instruction_alone(desk: Desk, table: Path) -> None:
    desk.open(table)
    desk.view.instruction_changed.emit("Shorten it.")
    desk.models.view = model(can_chat=False)
    desk.models.changed.emit(desk.models.view)
    assert desk.view.notice.text.text() == LIMITED
    assert "misread" in desk.view.bar.instruction.toPlainText()
    desk.models.view = model()
    desk.models.changed.emit(desk.models.view)
    assert desk.view.notice.text.text() == ""
    assert desk.view.bar.instruction.toPlainText() == "Shorten it."


def test_presets_are_chosen_kept_and_deleted(desk: Desk, table: Path) -> None:
    desk.open(table)
    desk.view.bar.presets_chip.menu().aboutToShow.emit()
    actions = desk.view.bar.presets_chip.menu().actions()
    assert [one.text() for one in actions[: len(PRESETS)]] == [one.name for one in PRESETS]
    next(one for one in actions if one.text() == "Translate").trigger()
    assert desk.state.sheet.preset == "translate"
    edit = desk.view.bar.instruction
    assert edit.textCursor().selectedText() == "English"
    edit.textCursor().insertText("German")
    edit.flush()
    assert desk.state.sheet.instruction.startswith("Translate this text into German.")
    assert desk.state.sheet.preset == "translate"
    desk.view.preset_saved.emit("To German")
    desk.settle()
    desk.settle()
    desk.view.bar.presets_chip.menu().aboutToShow.emit()
    (own,) = (one for one in desk.view.bar.presets_chip.menu().actions() if one.text() == "To German")
    assert own.isChecked()
    desk.view.preset_deleted.emit(PresetView("", "To German", edit.toPlainText()))
    desk.settle()
    desk.settle()
    desk.view.bar.presets_chip.menu().aboutToShow.emit()
    assert "To German" not in [one.text() for one in desk.view.bar.presets_chip.menu().actions()]


def test_columns_are_added_and_taken_away_without_losing_what_was_done(desk: Desk, qtbot: QtBot, table: Path) -> None:
    desk.open(table)
    desk.view.edited.emit((0, 1), "by hand")
    desk.view.columns_chosen.emit((1, 2))
    qtbot.waitUntil(lambda: len(desk.state.rows) == 4, timeout=30_000)
    assert desk.state.rows[0, 1].answer == "by hand"
    assert [desk.view.rows.row(place).column for place in range(2)] == ["text", "place"]
    desk.view.edited.emit((0, 2), "a place by hand")
    desk.view.columns_chosen.emit((1,))
    qtbot.waitUntil(lambda: len(desk.state.rows) == 2, timeout=30_000)
    assert desk.state.rows[0, 1].answer == "by hand"
    desk.view.undo_requested.emit()  # of a column that isn't shown any more
    assert desk.state.rows[0, 1].answer == "by hand"
    desk.view.undo_requested.emit()
    assert desk.state.rows[0, 1].answer == ""
    assert not desk.view.detail.undo_button.isEnabled()


def test_a_first_row_that_was_taken_for_names_becomes_a_row(desk: Desk, qtbot: QtBot, table: Path) -> None:
    desk.open(table)
    desk.view.instruction_changed.emit("Shorten it.")
    desk.view.bar.columns_chip.menu().aboutToShow.emit()
    header = desk.view.bar.columns_chip.menu().actions()[-1]
    assert header.isChecked()
    header.trigger()
    qtbot.waitUntil(lambda: desk.presenter.work.state is not None and len(desk.state.rows) == 3, timeout=30_000)
    assert next(iter(desk.state.rows.values())).text == "text"
    assert desk.state.sheet.instruction == "Shorten it."
    desk.settle()
    counted: list[int] = []
    desk.store.submit(lambda store: len(store.rewrites.sheets()), counted.append)
    qtbot.waitUntil(lambda: counted == [1], timeout=30_000)


def test_an_engine_that_fails_at_every_row_pauses_the_work(desk: Desk, qtbot: QtBot) -> None:
    desk.models.view = model()  # as if there were one: the engine says that there is none
    desk.view.text_offered.emit("one\ntwo\nthree\nfour\nfive\n")
    qtbot.waitUntil(lambda: desk.presenter.work.state is not None, timeout=30_000)
    desk.view.instruction_changed.emit("Shorten it.")
    desk.view.work_pressed.emit()
    qtbot.waitUntil(lambda: not desk.presenter.work.is_running, timeout=30_000)
    desk.settle()
    states = [row.state for row in desk.state.rows.values()]
    assert states == [RowState.FAILED] * 2 + [RowState.WAITING] * 3
    assert desk.window.banners.banners[0].error.title == "No model is loaded"
    assert desk.view.rows.row(0).error is not None
    assert desk.view.bar.work_button.text().strip() == "Resume"


def test_a_note_of_a_row_is_added_to_its_instruction_and_short_rows_share_a_canvas() -> None:
    rows = [RewriteRow(number, 0, f"some words {number}") for number in range(3)]
    together = jobs_of(rows, "Shorten it.", 200)
    assert [job.keys for job in together] == [((0, 0), (1, 0), (2, 0))]
    assert together[0].request().messages[-1].text == "some words 0\nsome words 1\nsome words 2"
    noted = [rows[0], replace(rows[1], note="Keep the number.")]
    alone = jobs_of(noted, "Shorten it.", 200)
    assert [job.request().instruction for job in alone] == ["Shorten it.", "Shorten it.\nKeep the number."]
    assert [job.keys for job in jobs_of(rows, "Shorten it.", 0)] == [((0, 0),), ((1, 0),), ((2, 0),)]


def test_a_deleted_table_comes_back(desk: Desk, qtbot: QtBot, table: Path) -> None:
    desk.open(table)
    desk.view.sheet_deleted.emit()
    assert desk.view.pages.currentWidget() is desk.view.empty
    desk.settle()
    desk.settle()
    assert desk.view.empty.entry_buttons == []
    desk.window.toast.button.click()
    qtbot.waitUntil(lambda: desk.presenter.work.state is not None, timeout=30_000)
    desk.view.new_requested.emit()
    desk.settle()
    desk.settle()
    assert [button.text().strip() for button in desk.view.empty.entry_buttons] == ["in.csv"]


def test_files_that_are_no_tables_are_refused_with_a_reason(
    desk: Desk, qtbot: QtBot, tmp_path: Path, table: Path
) -> None:
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"no workbook at all")
    desk.view.files_offered.emit([broken, table])
    assert desk.window.toast.text.text() == ONE_AT_A_TIME
    qtbot.waitUntil(lambda: bool(desk.window.banners.banners), timeout=30_000)
    assert desk.window.banners.banners[0].error.remedy
    assert desk.presenter.work.state is None


def test_an_export_is_told_and_so_is_one_that_fails(desk: Desk, qtbot: QtBot, tmp_path: Path, table: Path) -> None:
    desk.open(table)
    desk.view.edited.emit((0, 1), "by hand")
    desk.view.edited.emit((1, 1), "=1+1")
    desk.view.export_requested.emit(tmp_path / "out.csv")
    qtbot.waitUntil((tmp_path / "out.csv").exists, timeout=30_000)
    qtbot.waitUntil(lambda: bool(desk.window.banners.banners), timeout=30_000)
    assert "apostrophe" in desk.window.banners.banners[0].error.text
    desk.view.export_requested.emit(table)
    qtbot.waitUntil(lambda: len(desk.window.banners.banners) == 2, timeout=30_000)
    assert table.read_text(encoding="utf-8") == CSV


def test_a_decision_that_cannot_be_kept_is_taken_back(desk: Desk, qtbot: QtBot, tmp_path: Path, table: Path) -> None:
    desk.open(table)
    sheet = desk.state.sheet.id
    desk.store.submit(lambda store: store.database.connection.execute("PRAGMA query_only = ON").fetchall())
    desk.view.edited.emit((0, 1), "by hand")
    assert desk.state.rows[0, 1].state is RowState.ACCEPTED
    desk.settle()
    desk.store.submit(lambda store: store.database.connection.execute("PRAGMA query_only = OFF").fetchall())
    qtbot.waitUntil(lambda: bool(desk.window.banners.banners), timeout=30_000)
    desk.view.sheet_opened.emit(sheet)
    qtbot.waitUntil(
        lambda: desk.presenter.work.state is not None and desk.state.rows[0, 1].state is RowState.WAITING,
        timeout=30_000,
    )
    with Store.open(tmp_path / "profile") as store:
        assert store.integrity() == "ok"
