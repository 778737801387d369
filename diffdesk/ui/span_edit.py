"""Rewriting a selected part of a message or of what is being typed: where it is selected, asked for and shown.

Watches selections in the transcript and in the composer's field, finds the characters that are meant, and says what
the user wants. Knows nothing of the store and of runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QApplication, QTextEdit, QWidget

from diffdesk.core.trace import CanvasFrame
from diffdesk.ui.centre import Centre
from diffdesk.ui.composer_edit import ComposerEdit
from diffdesk.ui.differences_view import MarkedText
from diffdesk.ui.markdown import utf16_length
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.span_popover import SpanButton, SpanPopover, beside
from diffdesk.ui.text_views import TextView
from diffdesk.ui.theme import ThemeKeeper

CANT_INSTRUCT = "The model in use corrects text and takes no instructions. It can try this part again."
NOT_CLEAR = (
    "The selection cuts through formatting, so it is not clear which part of the text is meant. Select whole words or "
    "a whole sentence."
)
NOT_IN_TEXT = "What is selected was taken out, and is no part of the text now. Select what stands there instead."
BUSY = "Something is being written at the moment. Wait for it, or stop it."
SELECT_FIRST = "Select a part of an answer, a correction or your text first."
LATER_STAY = "What follows this answer stays with the version before."
_PAUSE_MS = 150  # a selection is offered this long after it last changed
_MARK_MS = 4000  # how long what was changed in the composer stays marked


@dataclass(frozen=True, slots=True)
class _Target:
    """A text with a selection in it: that of a message, or with None what is being typed."""

    message: int | None


class SpanEdit(QObject):
    """See the module.

    Signals:
        message_edit_requested(int, int, int, str): message, characters [start, end) of its text, what should change.
        composer_edit_requested(int, int, str): the same for what is typed.
        stop_requested(): the rewriting at work.
        refused(str): there is nothing that could be rewritten; why.
    """

    message_edit_requested = Signal(int, int, int, str)
    composer_edit_requested = Signal(int, int, str)
    stop_requested = Signal()
    refused = Signal(str)

    def __init__(self, themes: ThemeKeeper, centre: Centre) -> None:
        super().__init__(centre)
        self._themes = themes
        self._centre = centre
        self._edit = centre.composer.edit
        self._target: _Target | None = None  # what the button or the card belongs to
        self._span: tuple[int, int] | None = None
        self._can_instruct = True
        self._is_busy = False
        self.button = SpanButton(themes, centre)
        self.popover = SpanPopover(themes, centre)
        self._pause = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._marked = QTimer(self, interval=_MARK_MS, singleShot=True)
        self._connect()

    def _connect(self) -> None:
        self.button.clicked.connect(self.open_card)
        self.popover.wished.connect(self._on_wished)
        self.popover.widened.connect(self._on_widened)
        self.popover.dismissed.connect(self._on_dismissed)
        self.popover.stop_requested.connect(self.stop_requested)
        self._pause.timeout.connect(self._offer)
        self._marked.timeout.connect(lambda: self._edit.setExtraSelections([]))
        self._edit.selectionChanged.connect(lambda: self._on_selected(_Target(None)))
        self._edit.rewrite_requested.connect(self.open_card)
        transcript = self._centre.transcript
        transcript.text_selected.connect(self._on_message_selected)
        transcript.rewrite_requested.connect(self.open_card)
        transcript.verticalScrollBar().valueChanged.connect(lambda _: self._follow())
        self._themes.theme_changed.connect(lambda _: self._follow())
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    # --- what the window says -------------------------------------------------------------------------

    def set_can_instruct(self, can_instruct: bool) -> None:
        """Whether the model in use takes instructions."""
        self._can_instruct = can_instruct

    def set_busy(self, is_busy: bool) -> None:
        """Whether something is being written."""
        self._is_busy = is_busy
        if is_busy:
            self.button.hide()

    def open_card(self) -> None:
        """Ask what should change about what is selected where the keyboard is, or say why that can't be done."""
        target = self._selected()
        if self.popover.is_running:
            return
        if target is None:
            self.refused.emit(SELECT_FIRST)
        elif self._is_busy:
            self.refused.emit(BUSY)
        else:
            self._open(target)

    def show_running(self, waiting: str) -> None:
        """The part is being rewritten."""
        self._edit.setReadOnly(self._target is not None and self._target.message is None)
        self.popover.run(waiting)
        self._follow()

    def show_waiting(self, waiting: str) -> None:
        """What the part waits for."""
        self.popover.show_waiting(waiting)

    def show_frame(self, frame: CanvasFrame) -> None:
        """How far the part has come."""
        self.popover.show_frame(frame)

    def end(self) -> None:
        """Nothing is being rewritten any more."""
        self._edit.setReadOnly(False)
        self._on_dismissed()

    def replace_in_composer(self, start: int, end: int, text: str) -> None:
        """Put `text` where the characters [start, end) of what is typed are, in one step of undo, and mark it."""
        whole = self._edit.toPlainText()
        cursor = self._edit.textCursor()
        first = utf16_length(whole[:start])
        cursor.setPosition(first)
        cursor.setPosition(first + utf16_length(whole[start:end]), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(text)
        self._edit.setTextCursor(cursor)
        self._edit.setFocus(Qt.FocusReason.OtherFocusReason)
        mark = QTextEdit.ExtraSelection()
        look = QTextCharFormat()
        look.setBackground(QColor(self._themes.theme.insertion_background))
        look.setForeground(QColor(self._themes.theme.insertion))
        look.setFontUnderline(True)
        mark.format = look
        cursor.setPosition(first)
        cursor.setPosition(first + utf16_length(text), QTextCursor.MoveMode.KeepAnchor)
        mark.cursor = cursor
        self._edit.setExtraSelections([mark])
        self._marked.start()

    # --- what is selected -----------------------------------------------------------------------------

    def _on_message_selected(self, widget: MessageWidget) -> None:
        if widget.text_view is not None and widget.can_rewrite:
            self._on_selected(_Target(widget.view.id))

    def _on_selected(self, target: _Target) -> None:
        if self.popover.isVisible():
            return
        self._target = target if self._cursor(target) is not None else None
        self.button.hide()
        if self._target is not None:
            self._pause.start()

    def _offer(self) -> None:
        """Show the button, once the mouse is let go."""
        if QApplication.mouseButtons() & Qt.MouseButton.LeftButton:
            self._pause.start()
        elif self._is_offered():
            self.button.show()
            self.button.raise_()
            self._follow()

    def _is_offered(self) -> bool:
        cursor = None if self._target is None else self._cursor(self._target)
        is_idle = not self._is_busy and not self.popover.isVisible()
        return is_idle and cursor is not None and bool(cursor.selectedText().strip())

    def _selected(self) -> _Target | None:
        """What is selected where the keyboard is; else what was selected last, if it still is."""
        candidates = [self._target]
        widget = QApplication.focusWidget()
        while widget is not None:
            if isinstance(widget, ComposerEdit):
                candidates.insert(0, _Target(None))
            elif isinstance(widget, MessageWidget) and widget.can_rewrite:
                candidates.insert(0, _Target(widget.view.id))
            widget = widget.parentWidget()
        return next((one for one in candidates if one is not None and self._cursor(one) is not None), None)

    def _shown(self, target: _Target) -> TextView | ComposerEdit | None:
        """The widget of a text, while it is on the screen."""
        widget: QWidget | None = self._edit
        if target.message is not None:
            message = self._centre.transcript.widget_of(target.message)
            widget = message.text_view if isinstance(message, MessageWidget) else None
        return widget if isinstance(widget, TextView | ComposerEdit) and widget.isVisible() else None

    def _cursor(self, target: _Target) -> QTextCursor | None:
        """The selection in a text; None if there is none."""
        text = self._shown(target)
        cursor = None if text is None else text.textCursor()
        return cursor if cursor is not None and cursor.hasSelection() else None

    def _open(self, target: _Target) -> None:
        self.button.hide()
        self._target = target
        shown = self._shown(target)
        self._span = None if shown is None else _span_in(shown)
        text = _text_of(target, self._centre)
        if self._span is None or not text[slice(*self._span)].strip():
            is_view = isinstance(shown, TextView)
            is_gone = isinstance(shown, MarkedText) or self._span is not None
            self.popover.refuse(NOT_IN_TEXT if is_gone else NOT_CLEAR, can_widen=is_view)
        else:
            notes = [] if self._can_instruct else [CANT_INSTRUCT]
            views = self._centre.transcript.views
            if target.message is not None and views[-1].id != target.message:
                notes.append(LATER_STAY)
            self.popover.ask(text[slice(*self._span)], " ".join(notes), can_instruct=self._can_instruct)
        self._follow()

    # --- slots ----------------------------------------------------------------------------------------

    def _on_wished(self, instruction: str) -> None:
        target, span = self._target, self._span
        if target is None or span is None:
            return
        if target.message is None:
            self.composer_edit_requested.emit(*span, instruction)
        else:
            self.message_edit_requested.emit(target.message, *span, instruction)

    def _on_widened(self) -> None:
        text = None if self._target is None else self._shown(self._target)
        if self._target is not None and isinstance(text, TextView):
            text.select_more()
            self._open(self._target)

    def _on_dismissed(self) -> None:
        text = None if self._target is None else self._shown(self._target)
        self._close()
        if text is not None:
            text.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_focus_changed(self, old: QObject | None, new: QObject | None) -> None:
        """The card goes when the keyboard goes elsewhere in the window, unless it runs."""
        del old
        is_asking = self.popover.isVisible() and not self.popover.is_running
        is_inside = isinstance(new, QWidget) and (new is self.popover or self.popover.isAncestorOf(new))
        if is_asking and isinstance(new, QWidget) and not is_inside and new.window() is self._centre.window():
            self._close()

    def _close(self) -> None:
        self.popover.close_card()
        self.button.hide()
        self._target = self._span = None

    # --- place ----------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Keep the button and the card beside what is selected; without it the card stays at the lower edge."""
        anchor = self._anchor()
        bounds = self._bounds()
        if self.button.isVisible():
            self.button.adjustSize()
            if anchor is None:
                self.button.hide()
            else:
                # What one types goes on below, so there the button stands above.
                is_typed = self._target is not None and self._target.message is None
                seen = bounds.adjusted(0, 0, 0, anchor.bottom() - bounds.bottom()) if is_typed else bounds
                self.button.move(beside(anchor, seen, self.button.size(), self._themes.px(4)))
        if self.popover.isVisible():
            low = QRect(bounds.left(), bounds.bottom(), 1, 1)
            self.popover.place(anchor or low, bounds)

    def _bounds(self) -> QRect:
        pages = self._centre.pages
        field = self._centre.composer
        top = pages.mapTo(self._centre, QPoint(0, 0))
        return QRect(top.x(), top.y(), pages.width(), pages.height() + field.height())

    def _anchor(self) -> QRect | None:
        """Where the selection ends, in the centre's pixels; None where it is out of sight."""
        text = None if self._target is None else self._shown(self._target)
        if text is None:
            return None
        cursor = text.textCursor()
        first, last = QTextCursor(cursor), QTextCursor(cursor)
        first.setPosition(cursor.selectionStart())
        last.setPosition(cursor.selectionEnd())
        begins, ends = text.cursorRect(first), text.cursorRect(last)
        left = begins.left() if begins.top() == ends.top() else 0
        rect = QRect(left, begins.top(), max(1, ends.right() - left), ends.bottom() - begins.top())
        rect.moveTopLeft(text.viewport().mapTo(self._centre, rect.topLeft()))
        seen = QRect(self._bounds())
        return rect.intersected(seen) if rect.intersects(seen) else None


def _text_of(target: _Target, centre: Centre) -> str:
    if target.message is None:
        return centre.composer.text
    return next((one.text for one in centre.transcript.views if one.id == target.message), "")


def _span_in(text: TextView | ComposerEdit) -> tuple[int, int] | None:
    """The characters that are selected; None where that can't be told."""
    if isinstance(text, TextView):
        return text.source_span()
    cursor = text.textCursor()
    units = text.toPlainText().encode("utf-16-le", "surrogatepass")
    ends = (cursor.selectionStart(), cursor.selectionEnd())
    start, end = (len(units[: 2 * one].decode("utf-16-le", "surrogatepass")) for one in ends)
    return start, end
