"""What the keys of a conversation do: send, edit, find, rename, rewrite a part, stop. In other places they do nothing.

Knows the parts of the window; wants nothing of the program but what these emit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget

from diffdesk.core.messages import Role
from diffdesk.ui.message_widget import MessageWidget
from diffdesk.ui.place_switch import WindowPlace

if TYPE_CHECKING:
    from diffdesk.ui.main_window import MainWindow


class ConversationKeys(QObject):
    """See the module. `actions` go by the names of `keys`."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        find = window.centre.find_bar
        actions: dict[str, Callable[[], None]] = {
            "send": self._on_send_pressed,
            "edit_last": self._on_edit_last_pressed,
            "rewrite": window.spans.open_card,
            "find": find.open_bar,
            "find_next": lambda: find.step(1),
            "find_previous": lambda: find.step(-1),
            "rename": self._on_rename_pressed,
        }
        self.actions = {name: self._only_here(action) for name, action in actions.items()}

    @property
    def is_here(self) -> bool:
        """Whether conversations are what the window shows."""
        return self._window.place is WindowPlace.CONVERSATIONS

    def escape(self) -> None:
        """Close what lies on top, then the search, then stop the answer."""
        window = self._window
        if not self.is_here or window.stage.close_on_top():
            return
        if window.centre.find_bar.isVisible():
            window.centre.find_bar.close_bar()
        elif window.is_busy:
            window.stop_requested.emit()

    def _only_here(self, action: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            if self.is_here:
                action()

        return act

    def _on_send_pressed(self) -> None:
        """Ctrl+Enter: sends the edit of a message if one is open, else what is in the composer."""
        focused = QApplication.focusWidget()
        parent: QWidget | None = focused if isinstance(focused, QPlainTextEdit) else None
        while parent is not None and not isinstance(parent, MessageWidget):
            parent = parent.parentWidget()
        if isinstance(parent, MessageWidget) and parent.is_editing:
            parent.accept_edit()
        elif not self._window.composer.edit.is_composing:
            self._window.composer.send()

    def _on_edit_last_pressed(self) -> None:
        transcript = self._window.transcript
        mine = [one.id for one in transcript.views if one.role is Role.USER]
        if not mine or self._window.is_busy:
            return
        transcript.scroll_to_message(mine[-1])
        widget = transcript.widget_of(mine[-1])
        if isinstance(widget, MessageWidget):
            widget.start_editing()

    def _on_rename_pressed(self) -> None:
        window = self._window
        if window.sidebar.list.hasFocus():
            window.sidebar.start_rename()
        elif window.current is not None:
            window.header.title.setFocus(Qt.FocusReason.ShortcutFocusReason)
            window.header.title.selectAll()
