"""One finished message of the transcript, drawn from its `MessageView`.

User text is shown as it was written, answers are set as Markdown, corrections with what changed. It knows nothing of
the transcript around it, and asks for everything by signals.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QEnterEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from diffdesk.core.messages import MessageState, Role
from diffdesk.ui.differences_view import DifferencesView
from diffdesk.ui.icons import icon
from diffdesk.ui.message_editor import MessageEditor
from diffdesk.ui.message_parts import STATE_TEXTS, Action, ActionBar, StateNote, ThoughtFold, Thumbnail, label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.text_views import MarkdownView, PlainView, TextView
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.ui.views import MessageView


class MessageWidget(QFrame):
    """Draws one message; a stop of the Tab key, with its actions behind it.

    Signals: `height_changed()` after a fold or a switch; `selection_changed()` of its text; the others carry what the
    user asked for.
    """

    height_changed = Signal()
    selection_changed = Signal()
    rewrite_requested = Signal()
    undo_requested = Signal(int)
    edit_requested = Signal(int, str)
    regenerate_requested = Signal(int)
    version_requested = Signal(int, int)
    replay_requested = Signal(int)
    link_clicked = Signal(str)
    image_opened = Signal(object)

    def __init__(
        self, themes: ThemeKeeper, view: MessageView, parent: QWidget | None = None, *, is_literal: bool = True
    ) -> None:
        super().__init__(parent)
        self.view = view
        self._is_literal = is_literal  # where answers are set as Markdown a changed one is, too, without its marks
        self._themes = themes
        self._actions: ActionBar | None = None
        self._editor: MessageEditor | None = None
        self._is_last = False
        self._is_active = False
        self._is_stale = False
        self._fold: ThoughtFold | None = None
        self._differences: DifferencesView | None = None
        self._note: StateNote | None = None
        self._text: TextView | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(spoken(view, is_literal=is_literal))
        self._column = QVBoxLayout(self)
        # A question begins a turn and stands off from what is above it; its answer belongs to it.
        is_question = view.role is Role.USER
        self._column.setContentsMargins(12, 14 if is_question else 6, 12, 10 if is_question else 2)
        self._column.setSpacing(6)
        self._build()
        scale_spacing(self, themes.zoom)

    # --- what the transcript reads --------------------------------------------------------------------

    @property
    def text_view(self) -> TextView | None:
        """The view of the message's text, if it has any text."""
        return self._text

    @property
    def editor(self) -> QPlainTextEdit | None:
        """The field in which the text is being edited, if it is."""
        return None if self._editor is None else self._editor.field

    @property
    def thought(self) -> ThoughtFold | None:
        """The folded thought, if there is one."""
        return self._fold

    @property
    def differences(self) -> DifferencesView | None:
        """The view of what was corrected, if this is a correction."""
        return self._differences

    @property
    def retry_button(self) -> QPushButton | None:
        """“Try again”, where that helps."""
        return None if self._note is None else self._note.button

    @property
    def thumbnails(self) -> tuple[Thumbnail, ...]:
        """The message's images."""
        return tuple(self.findChildren(Thumbnail))

    def shown_texts(self) -> tuple[str, ...]:
        """Everything that labels of the message say."""
        return tuple(one.text() for one in self.findChildren(QLabel))

    @property
    def can_rewrite(self) -> bool:
        """Whether parts of its text can be rewritten: of what a model wrote, once it is written."""
        is_written = self.view.state in (MessageState.COMPLETE, MessageState.STOPPED)
        return self.view.role is Role.ASSISTANT and is_written and not self.view.is_program

    @property
    def is_editing(self) -> bool:
        """Whether its text is being edited in place; then it must stay."""
        return self._editor is not None

    @property
    def is_precious(self) -> bool:
        """Whether something would be lost if the widget went: an edit, a selection, the keyboard."""
        has_selection = self._text is not None and self._text.textCursor().hasSelection()
        focus = QGuiApplication.focusObject()
        holds_focus = isinstance(focus, QWidget) and (focus is self or self.isAncestorOf(focus))
        return self.is_editing or has_selection or holds_focus

    def height_for(self, width: int) -> int:
        """The height that the message takes at `width`."""
        if self.width() != width:
            self.resize(width, self.height())
        if self._is_stale:
            # Sizes that layouts have kept are let go only with the next turn of the event loop; we need them now.
            for child in self.findChildren(QWidget):
                child.updateGeometry()
            self._is_stale = False
        self._column.activate()
        height = self._column.totalHeightForWidth(width) if self._column.hasHeightForWidth() else 0
        return max(height, self._column.totalSizeHint().height() if height <= 0 else 0)

    def set_last(self, is_last: bool) -> None:
        """The last message shows its actions at all times."""
        self._is_last = is_last
        self._show_actions()

    def set_active(self, is_active: bool) -> None:
        """Whether the keyboard is somewhere in the message."""
        self._is_active = is_active
        self._show_actions()
        self.update()

    def refresh(self) -> None:
        """The theme or the zoom changed."""
        for view in self.findChildren(TextView):
            view.refresh()
        if self._fold is not None:
            self._fold.refresh()
        scale_spacing(self, self._themes.zoom)
        self._on_resized()

    def start_editing(self) -> None:
        """Edit the text in place; only for what the user wrote."""
        if self.view.role is not Role.USER or self.is_editing:
            return
        self._open_editor()
        self._on_resized()

    def focus_text(self) -> None:
        """Put the keyboard into the text, at its beginning unless something is selected."""
        if self._text is not None:
            if not self._text.textCursor().hasSelection():
                self._text.moveCursor(QTextCursor.MoveOperation.Start)
            self._text.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        view = self.view
        self._column.addWidget(self._head())
        if view.thought:
            self._fold = ThoughtFold(self._themes, view.thought)
            self._fold.folded.connect(self._on_resized)
            self._column.addWidget(self._fold)
        body = self._body()
        if body is not None:
            self._column.addWidget(body)
        if view.state in STATE_TEXTS:
            self._note = StateNote(view.state, view.error)
            self._note.retried.connect(lambda: self.regenerate_requested.emit(view.id))
            self._column.addWidget(self._note)
        if view.note:
            self._column.addWidget(label(view.note, "small", is_wrapped=True))
        if view.role is not Role.USER:
            self._column.addWidget(self._foot_widget())
        if view.versions > 1:
            self._ensure_actions()

    def _head(self) -> QWidget:
        """Who and when; for a question its actions as well, so that nothing stands between it and its answer."""
        whole = QWidget()
        head = QHBoxLayout(whole)
        head.setContentsMargins(0, 0, 0, 0)
        who = label(role_name(self.view, is_literal=self._is_literal), "role")
        when = label(self.view.created.astimezone().strftime("%H:%M"), "small")
        when.setToolTip(self.view.created.astimezone().strftime("%A, %d %B %Y, %H:%M"))
        head.addWidget(who)
        head.addStretch(1)
        if self.view.role is Role.USER:
            whole.setFixedHeight(self._themes.px(32))
            self._foot = QHBoxLayout()
            head.addLayout(self._foot)
        head.addWidget(when)
        return whole

    def _body(self) -> QWidget | None:
        view = self.view
        if view.role is Role.USER:
            return self._user_card()
        if not view.text:
            return None
        if view.draft:
            self._differences = DifferencesView(self._themes, view.draft, view.text, is_literal=self._is_literal)
            self._differences.marks_toggled.connect(self._on_marks_toggled)
            self._adopt(self._differences.text_view)
            return self._differences
        return self._adopt(MarkdownView(self._themes, view.text))

    def _user_card(self) -> QWidget:
        card = QFrame()
        card.setProperty("kind", "user")
        column = QVBoxLayout(card)
        column.setContentsMargins(12, 12, 12, 6)  # a line of text has its own room below
        column.setSpacing(8)
        if self.view.images:
            row = QHBoxLayout()
            row.setSpacing(8)
            for image in self.view.images:
                thumbnail = Thumbnail(image, self._themes)
                thumbnail.clicked.connect(lambda _=False, shown=image: self.image_opened.emit(shown))
                row.addWidget(thumbnail)
            row.addStretch(1)
            column.addLayout(row)
        if self.view.text:
            column.addWidget(self._adopt(PlainView(self._themes, self.view.text)))
        self._card = column
        return card

    def _on_marks_toggled(self) -> None:
        if self._differences is not None and self._differences.text_view is not self._text:
            self._adopt(self._differences.text_view)
        self._on_resized()

    def _adopt(self, view: TextView) -> TextView:
        view.link_clicked.connect(self.link_clicked)
        view.selectionChanged.connect(self.selection_changed)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # the message shows one for both
        self._text = view
        return view

    def _foot_widget(self) -> QWidget:
        """A line of fixed height, so that nothing moves when the actions appear."""
        foot = QWidget()
        foot.setFixedHeight(self._themes.px(32))
        self._foot = QHBoxLayout(foot)
        self._foot.setContentsMargins(0, 0, 0, 0)
        self._foot.setSpacing(8)
        self._foot.addStretch(1)
        if self.view.figures:
            figures = label(self.view.figures, "small")
            self._foot.addWidget(figures)
        return foot

    # --- actions --------------------------------------------------------------------------------------

    def actions_here(self) -> tuple[Action, ...]:
        """What can be done with this message."""
        if self.view.role is Role.USER:
            return (Action("copy", "copy", "Copy message"), Action("edit", "pencil", "Edit message", "Ctrl+E"))
        found = [Action("copy", "copy", "Copy answer")] if self.view.text else []
        if self.view.state is not MessageState.STREAMING:
            found.append(Action("regenerate", "refresh-cw", "Answer again"))
        if self.view.has_trace:
            found.append(Action("replay", "film", "Replay the denoising"))
        return tuple(found)

    def perform(self, key: str) -> None:
        """Do what an action of that key means."""
        number = self.view.id
        if key == "copy":
            QGuiApplication.clipboard().setText(self.view.text)
        elif key == "edit":
            self.start_editing()
        elif key == "regenerate":
            self.regenerate_requested.emit(number)
        elif key == "replay":
            self.replay_requested.emit(number)
        elif key in ("older", "newer"):
            self.version_requested.emit(number, -1 if key == "older" else 1)

    def _ensure_actions(self) -> ActionBar:
        """The bar is made when it is first needed: a thousand messages have none."""
        if self._actions is None:
            self._actions = ActionBar(self.actions_here(), self.view.version, self.view.versions)
            self._actions.chosen.connect(self.perform)
            self._foot.insertWidget(0, self._actions)
            self._actions.set_shown(False)
        return self._actions

    def _show_actions(self) -> None:
        is_shown = self._is_last or self._is_active or self.underMouse()
        if is_shown or self._actions is not None:
            self._ensure_actions().set_shown(is_shown)

    # --- editing --------------------------------------------------------------------------------------

    def _open_editor(self) -> None:
        editor = MessageEditor(self.view.text)
        editor.sent.connect(self.accept_edit)
        editor.left.connect(self._close_editor)
        self._editor = editor
        self._card.addWidget(editor)
        if self._text is not None:
            self._text.hide()
        editor.begin()

    def accept_edit(self) -> None:
        """Send the edited text."""
        if self._editor is None:
            return
        text = self._editor.field.toPlainText().strip()
        self._close_editor()
        if text:
            self.edit_requested.emit(self.view.id, text)

    def _close_editor(self) -> None:
        if self._editor is None:
            return
        editor, self._editor = self._editor, None
        self._card.removeWidget(editor)
        editor.hide()
        editor.deleteLater()
        if self._text is not None:
            self._text.show()
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._on_resized()

    def _on_resized(self) -> None:
        self._is_stale = True
        self.height_changed.emit()

    # --- Qt -------------------------------------------------------------------------------------------

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._ensure_actions().set_shown(True)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if self._actions is not None:
            self._actions.set_shown(self._is_last or self._is_active)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter leads into the text, Ctrl+C copies it, Ctrl+Z goes back to what was edited, Escape ends an edit."""
        if self.is_editing:
            if event.key() == Qt.Key.Key_Escape:
                self._close_editor()
                return
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.accept_edit()
                return
        elif self.hasFocus() and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.focus_text()
            return
        elif event.matches(QKeySequence.StandardKey.Copy):
            self.perform("copy")
            return
        elif event.matches(QKeySequence.StandardKey.Undo) and self.view.draft and self.view.version > 1:
            self.undo_requested.emit(self.view.id)
            return
        elif event.key() == Qt.Key.Key_Escape and not self.hasFocus() and self._is_active:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        colour = self._themes.theme.text
        if self._text is not None and self._text.textCursor().hasSelection():
            menu.addAction(icon("copy", colour), "Copy selection", self._text.copy)
            if self.can_rewrite:
                menu.addAction(icon("pencil", colour), "Rewrite this part…", self.rewrite_requested.emit)
            menu.addSeparator()
        for action in self.actions_here():
            menu.addAction(icon(action.symbol, colour), action.name, lambda key=action.key: self.perform(key))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(self._themes.theme.accent), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 8, 8)
            painter.end()


def role_name(view: MessageView, *, is_literal: bool = True) -> str:
    """Who speaks, in a word; with `is_literal` texts that were given are corrected."""
    if view.role is Role.USER:
        return "You"
    if view.is_program:
        return "DiffDesk"
    return "Corrected" if view.draft and is_literal else "Answer"


def spoken(view: MessageView, *, is_literal: bool = True) -> str:
    """The message in one line for a screen reader: who, when, how it begins, what became of it."""
    beginning = " ".join(view.text.split())[:160]
    parts = [role_name(view, is_literal=is_literal), view.created.astimezone().strftime("%H:%M"), beginning]
    if view.images:
        parts.append(f"{len(view.images)} image" + ("" if len(view.images) == 1 else "s"))
    said = STATE_TEXTS.get(view.state)
    if said is not None:
        parts.append(view.error.title if view.error else said.text)
    return ", ".join(part for part in parts if part)
