"""The field in which what one wrote is written anew, in the message's place. Knows nothing of messages."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

_MOST_LINES, _LEAST_LINES, _CHARACTERS_A_LINE = 10, 2, 70


class MessageEditor(QWidget):
    """See the module. `sent()` and `left()` say which button was pressed."""

    sent = Signal()
    left = Signal()

    def __init__(self, text: str) -> None:
        super().__init__()
        self.field = QPlainTextEdit(text)
        self.field.setAccessibleName("Edit your message")
        self.field.setTabChangesFocus(True)
        lines = min(_MOST_LINES, max(_LEAST_LINES, text.count("\n") + 1 + len(text) // _CHARACTERS_A_LINE))
        self.field.setFixedHeight(self.field.fontMetrics().lineSpacing() * lines + 24)
        send = QPushButton("Send again")
        send.setProperty("kind", "primary")
        cancel = QPushButton("Cancel")
        send.clicked.connect(self.sent)
        cancel.clicked.connect(self.left)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(send)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.field)
        column.addLayout(row)

    def begin(self) -> None:
        """Show the field with all of its text selected."""
        self.show()  # now, not with the next turn of the event loop: its height is measured at once
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.field.selectAll()
