"""The bar below the page: the change in hand, why it was made, and what one can do with it.

It shows a piece and says which button was pressed; which piece comes next is the desk's matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QPushButton, QSpinBox, QVBoxLayout, QWidget

from diffdesk.ui.desk import words
from diffdesk.ui.desk.change_label import ChangeLabel
from diffdesk.ui.desk.desk_views import Piece, PieceState
from diffdesk.ui.desk.key_button import KeyButton
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper

USUAL_LIMIT = 95
NARROW = 640


class DecisionBar(QFrame):
    """See the module.

    Signals:
        pressed(str): "accept", "reject", "edit", "next_change", "next_doubt" or "next_page".
        accept_above_requested(float): accept every open change of at least that certainty, 0…1.
    """

    pressed = Signal(str)
    accept_above_requested = Signal(float)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._pieces: Sequence[Piece] = ()
        self._goal = "next_change"
        self._has_next_page = False
        self.setProperty("kind", "foot")
        self.setAccessibleName("Change in hand")
        self.change = ChangeLabel(themes)
        self.reason = label("", "small", is_wrapped=True)
        self.position = label("", "small")
        self.accept_button = KeyButton(themes, "Accept", "A", kind="primary")
        self.reject_button = KeyButton(themes, "Reject", "R")
        self.edit_button = KeyButton(themes, "Edit", "E")
        self.go_button = KeyButton(themes, "First change", "J", kind="primary")
        self.limit = QSpinBox()
        self.all_button = QPushButton()
        self._build()
        self._connect()
        self.show_piece((), -1, "")

    def set_has_next_page(self, has_next_page: bool) -> None:
        """Whether there is a page to go on to when everything is decided."""
        self._has_next_page = has_next_page

    def set_low(self, is_low: bool) -> None:
        """Where there is little height the text has it, and the second row goes."""
        self._low.setVisible(not is_low)

    def show_piece(self, pieces: Sequence[Piece], index: int, position: str) -> None:
        """Show the piece of this index, or with -1 how the page stands; `position` is as in "change 3 of 12"."""
        self._pieces = pieces
        piece = pieces[index] if 0 <= index < len(pieces) else None
        has_piece = piece is not None
        is_change = piece is not None and words.is_change(piece)
        self.position.setText(position)
        self.position.setVisible(bool(position))
        self.accept_button.setVisible(is_change)
        self.reject_button.setVisible(is_change)
        self.edit_button.setVisible(has_piece)
        if piece is None:
            self._show_page()
        else:
            self._show_piece(piece)
        self._show_all()

    # --- inside ---------------------------------------------------------------------------------------

    def _show_page(self) -> None:
        undecided = [piece for piece in self._pieces if words.is_undecided(piece)]
        if undecided:
            self.change.show_word(words.counted(len(undecided), "change") + " to decide")
            self.reason.setText("Each is accepted or rejected, or typed over.")
            self._lead("next_change", "First change", "J")
        elif any(map(words.is_change, self._pieces)):
            self.change.show_word("Every change is decided")
            has_doubts = any(map(words.is_doubtful, self._pieces))
            hint = "Uncertain words are marked with a wave: W walks through them."
            self.reason.setText(hint if has_doubts else "Nothing is left to look at here.")
        else:
            self.change.show_word("Nothing to decide on this page")
            self.reason.setText("The model proposed no changes.")
        if not undecided:
            self._lead("next_page", "Next page", "N")
        self.go_button.setVisible(bool(undecided) or self._has_next_page)

    def _lead(self, goal: str, text: str, key: str) -> None:
        self._goal = goal
        self.go_button.set_text(text, key)

    def _show_piece(self, piece: Piece) -> None:
        text, before, offer = (words.shown_space(one) for one in (piece.text, piece.before, piece.offer))
        is_doubt = piece.state is PieceState.PLAIN and words.is_doubtful(piece)
        self.go_button.setVisible(is_doubt)
        if is_doubt:
            self._lead("accept", "It is right", "A")
        match piece.state:
            case PieceState.MADE | PieceState.ACCEPTED:
                self.change.show_change(before, text, is_struck=True)
            case PieceState.OFFERED | PieceState.REJECTED:
                self.change.show_change(text, offer, is_struck=False)
            case PieceState.EDITED if before and before != text:
                self.change.show_change(before, text, is_struck=True)
            case _:
                self.change.show_word(text)
        self.reason.setText(_reason(piece))
        self.accept_button.setEnabled(piece.state is not PieceState.ACCEPTED)
        self.reject_button.setEnabled(piece.state is not PieceState.REJECTED)

    def _show_all(self) -> None:
        share = self.limit.value() / 100
        count = sum(words.is_undecided(piece) and piece.certainty >= share for piece in self._pieces)
        self.all_button.setText(f"Accept {count:,} above" if count else "Accept all above")
        name = f"Accept {words.counted(count, 'change')} of at least {self.limit.value()} % certainty"
        self.all_button.setAccessibleName(name)
        self.all_button.setToolTip(name if count else "No open change is as certain as that")
        self.all_button.setEnabled(count > 0)
        has_open = any(map(words.is_undecided, self._pieces))
        self.all_button.setVisible(has_open)
        self.limit.setVisible(has_open)

    def _build(self) -> None:
        self.limit.setRange(50, 100)
        self.limit.setValue(USUAL_LIMIT)
        self.limit.setSuffix(" %")
        self.limit.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.limit.setAccessibleName("Certainty from which on all are accepted")
        self.limit.setToolTip("Certainty from which on all are accepted")
        self.limit.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for one in (self.all_button, self.limit):  # their places stay, so that the text above doesn't jump
            policy = one.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            one.setSizePolicy(policy)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.change)
        texts.addWidget(self.reason)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for one in (self.accept_button, self.reject_button, self.edit_button, self.go_button):
            buttons.addWidget(one)
        buttons.addStretch(1)
        self._top = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._top.setSpacing(16)
        self._top.addLayout(texts, 1)
        self._top.addLayout(buttons)
        self._low = QWidget()
        low = QHBoxLayout(self._low)
        low.setContentsMargins(0, 0, 0, 0)
        low.setSpacing(8)
        low.addWidget(self.position)
        low.addStretch(1)
        low.addWidget(self.all_button)
        low.addWidget(self.limit)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 12, 16, 12)
        column.setSpacing(8)
        column.addLayout(self._top)
        column.addWidget(self._low)

    def _connect(self) -> None:
        self.accept_button.clicked.connect(lambda: self.pressed.emit("accept"))
        self.reject_button.clicked.connect(lambda: self.pressed.emit("reject"))
        self.edit_button.clicked.connect(lambda: self.pressed.emit("edit"))
        self.go_button.clicked.connect(lambda: self.pressed.emit(self._goal))
        self.all_button.clicked.connect(lambda: self.accept_above_requested.emit(self.limit.value() / 100))
        self.limit.valueChanged.connect(self._show_all)
        self._themes.theme_changed.connect(lambda _: scale_spacing(self, self._themes.zoom))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow the buttons stand below the change."""
        super().resizeEvent(event)
        is_narrow = event.size().width() < self._themes.px(NARROW)
        way = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        if way != self._top.direction():
            self._top.setDirection(way)


def _reason(piece: Piece) -> str:
    """How sure, and why, in a line."""
    parts = []
    if words.is_change(piece) and piece.state is not PieceState.EDITED:
        parts.append(words.sureness(piece.certainty))
    if piece.state in (PieceState.ACCEPTED, PieceState.REJECTED, PieceState.EDITED):
        parts.insert(0, words.DECIDED_WORDS[piece.state])
    if words.is_held_open(piece):
        parts.append(words.HELD)
    if piece.why:
        parts.append(piece.why)
    elif piece.state is PieceState.PLAIN:
        parts.append("uncertain word" if words.is_doubtful(piece) else "no change was proposed here")
    text = " · ".join(parts)
    return text[:1].upper() + text[1:]
