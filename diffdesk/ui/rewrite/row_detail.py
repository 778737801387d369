"""The pane below the table: the current row in full, with its difference, and what can be done with it.

The result is edited here, in its place; a note for another try is written here. Knows nothing of the other rows.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from diffdesk.core.differences import changes
from diffdesk.ui.buttons import IconButton
from diffdesk.ui.differences_view import MAX_COMPARED, MarkedText
from diffdesk.ui.message_parts import label
from diffdesk.ui.rewrite.enter_edit import EnterEdit
from diffdesk.ui.rewrite.rewrite_views import RowSign, RowView
from diffdesk.ui.rewrite.row_model import SIGN_HELP, number_of
from diffdesk.ui.text_views import PlainView
from diffdesk.ui.theme import ThemeKeeper

NOTHING = "Choose a row to see all of it here."


class ResultEdit(EnterEdit):
    """The result while it is edited: Enter takes it, Shift+Enter is a new line, Escape leaves it as it was."""

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Result of the row", parent)
        self.setAccessibleDescription("Enter keeps the text, Shift+Enter begins a new line, Escape leaves it as it was")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class NoteEdit(QLineEdit):
    """What should be different in another try; Escape leaves it."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class RowDetail(QFrame):
    """See the module.

    Signals: `edited` carries the row and its new text; `redo_confirmed` the note; `left` says that the keyboard
    belongs to the table again; `writing_changed` that something is being written here or not any more.
    """

    accept_pressed = Signal()
    reject_pressed = Signal()
    redo_pressed = Signal()
    undo_pressed = Signal()
    edited = Signal(object, str)
    redo_confirmed = Signal(str)
    left = Signal()
    writing_changed = Signal()

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._row: RowView | None = None
        self._content: QWidget | None = None
        self._is_undoable = False
        self._is_noting = False
        self._edited_from = ""  # what stood in the editor when it was opened
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("The current row")
        self.title = label("", "strong")
        self.state = label("", "small")
        self.state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.accept_button = IconButton("check", "Accept the row", shortcut="A")
        self.reject_button = IconButton("x", "Reject: keep the text as it was", shortcut="R")
        self.edit_button = IconButton("pencil", "Edit the result", shortcut="E")
        self.redo_button = IconButton("refresh-cw", "Rewrite again, with a note", shortcut="Ctrl+R")
        self.undo_button = IconButton("undo-2", "Undo", shortcut="U")
        self.note = NoteEdit()
        self.editor = ResultEdit()
        self._pages = QStackedWidget()
        self._scroll = QScrollArea()
        self._build()
        self._connect()
        self.show_row(None)

    # --- what is shown --------------------------------------------------------------------------------

    @property
    def is_editing(self) -> bool:
        """Whether the result is being edited."""
        return self._pages.currentWidget() is self._editing

    @property
    def is_writing(self) -> bool:
        """Whether the result, or a note for another try, is being written."""
        return self.is_editing or self._is_noting

    def show_row(self, row: RowView | None) -> None:
        """Show a row. What was being edited in another one is kept, as a cell of a spreadsheet keeps it."""
        if row == self._row and self._content is not None:
            return
        is_other = row is None or self._row is None or row.key != self._row.key
        if is_other:
            self.take_edit()
            self.close_note()
        self._row = row
        self._fill()
        self._enable()

    def set_undoable(self, is_undoable: bool) -> None:
        """Whether there is a decision to take back."""
        self._is_undoable = is_undoable
        self._enable()

    def begin_edit(self) -> None:
        """Edit the result in its place."""
        if self._row is None or not self.edit_button.isEnabled():
            return
        self._edited_from = self._row.answer or self._row.text
        self.editor.setPlainText(self._edited_from)
        self._pages.setCurrentWidget(self._editing)
        self.writing_changed.emit()
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self.editor.selectAll()

    def take_edit(self) -> None:
        """Keep what was edited, if anything is being edited."""
        if self.is_editing and self._row is not None:
            text = self.editor.toPlainText()
            self._end_edit()
            if text != self._edited_from:
                self.edited.emit(self._row.key, text)

    def open_note(self, count: int) -> None:
        """Ask what should be different in another try of `count` rows."""
        rows = "this row" if count == 1 else f"these {count:,} rows"
        self.note.setPlaceholderText(f"What should be different? Enter rewrites {rows} again.")
        self._note_line.show()
        self._is_noting = True
        self.writing_changed.emit()
        self.note.setFocus(Qt.FocusReason.OtherFocusReason)

    def close_note(self) -> None:
        """Ask no more."""
        self.note.clear()
        self._note_line.hide()
        if self._is_noting:
            self._is_noting = False
            self.writing_changed.emit()

    # --- doing it -------------------------------------------------------------------------------------

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addWidget(self.state, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        actions = (self.accept_button, self.reject_button, self.edit_button, self.redo_button, self.undo_button)
        for button in actions:
            buttons.addWidget(button)
        head.addLayout(buttons)
        self.note.setAccessibleName("Note for another try")
        again = QPushButton("Rewrite again")
        again.clicked.connect(self._on_note_taken)
        self._note_line = QWidget()
        line = QHBoxLayout(self._note_line)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(self.note, 1)
        line.addWidget(again)
        self._scroll.setProperty("kind", "page")
        self._scroll.setWidgetResizable(True)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._editing = self._editing_page()
        self._pages.addWidget(self._scroll)
        self._pages.addWidget(self._editing)
        self._pages.setMinimumHeight(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 6, 8, 8)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self._note_line)
        column.addWidget(self._pages, 1)

    def _editing_page(self) -> QWidget:
        page = QWidget()
        keep, leave = QPushButton("Keep"), QPushButton("Cancel")
        keep.setToolTip("Keep this text (Enter)")
        keep.clicked.connect(self.editor.taken)
        leave.clicked.connect(self.editor.left)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(keep)
        buttons.addWidget(leave)
        buttons.addStretch(1)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(6)
        column.addWidget(self.editor, 1)
        column.addLayout(buttons)
        return page

    def _connect(self) -> None:
        self.accept_button.clicked.connect(self.accept_pressed)
        self.reject_button.clicked.connect(self.reject_pressed)
        self.edit_button.clicked.connect(self.begin_edit)
        self.redo_button.clicked.connect(self.redo_pressed)
        self.undo_button.clicked.connect(self.undo_pressed)
        self.note.returnPressed.connect(self._on_note_taken)
        self.note.left.connect(self._on_note_left)
        self.editor.taken.connect(self._on_edit_taken)
        self.editor.left.connect(self._on_edit_left)
        self._themes.theme_changed.connect(lambda _: self._fill())

    def _fill(self) -> None:
        row = self._row
        content = QWidget()
        content.setProperty("kind", "page")
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(8)
        if row is None:
            self.title.setText("")
            self.state.setText("")
            column.addWidget(label(NOTHING, "muted", is_wrapped=True))
        else:
            self.title.setText(f"Row {number_of(row)}" + (f" · {row.column}" if row.column else ""))
            self.state.setText(SIGN_HELP[row.sign])
            for part in self._parts(row):
                column.addWidget(part)
        column.addStretch(1)
        self._scroll.setWidget(content)  # deletes the one before
        self._content = content

    def _parts(self, row: RowView) -> list[QWidget]:
        """What there is to say of a row."""
        parts: list[QWidget] = []
        if row.error is not None:
            parts.append(_error_box(row))
        has_result = row.sign in (RowSign.REVIEW, RowSign.ACCEPTED) or (row.sign is RowSign.KEPT and bool(row.answer))
        if has_result:
            is_short = max(len(row.text), len(row.answer)) <= MAX_COMPARED
            found = changes(row.text, row.answer) if is_short else ()
            parts.append(MarkedText(self._themes, row.text, row.answer, found))
        else:
            parts.append(PlainView(self._themes, row.text))
        if row.note:
            parts.append(label(row.note, "small", is_wrapped=True))
        return parts

    def _enable(self) -> None:
        row = self._row
        sign = None if row is None else row.sign
        can_decide = sign in (RowSign.REVIEW, RowSign.ACCEPTED, RowSign.KEPT)
        self.accept_button.setEnabled(can_decide and sign is not RowSign.ACCEPTED)
        self.reject_button.setEnabled(sign in (RowSign.REVIEW, RowSign.ACCEPTED, RowSign.FAILED))
        self.edit_button.setEnabled(row is not None and sign is not RowSign.WORKING)
        self.redo_button.setEnabled(row is not None and sign not in (RowSign.WORKING, RowSign.WAITING))
        self.undo_button.setEnabled(self._is_undoable)

    def _on_note_taken(self) -> None:
        note = self.note.text().strip()
        self.close_note()
        self.redo_confirmed.emit(note)
        self.left.emit()

    def _on_note_left(self) -> None:
        self.close_note()
        self.left.emit()

    def _on_edit_taken(self) -> None:
        self.take_edit()
        self.left.emit()

    def _on_edit_left(self) -> None:
        self._end_edit()
        self.left.emit()

    def _end_edit(self) -> None:
        self._pages.setCurrentWidget(self._scroll)
        self.writing_changed.emit()


def _error_box(row: RowView) -> QFrame:
    box = QFrame()
    box.setProperty("kind", "danger")
    column = QVBoxLayout(box)
    column.setContentsMargins(12, 8, 12, 8)
    column.setSpacing(2)
    if row.error is not None:
        for text, kind in ((row.error.title, "strong"), (row.error.text, "body"), (row.error.remedy, "body")):
            if text:
                line = label(text, kind, is_wrapped=True)
                line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                column.addWidget(line)
    return box
