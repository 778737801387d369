"""The page and its text side by side, kept in step, with the bar of decisions below them.

Where it is narrow one of the two is shown at a time. It knows which piece is in hand, and moves from piece to piece;
what the user decides it only reports.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSplitter, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from diffdesk.ui.buttons import IconButton
from diffdesk.ui.desk import walking, words
from diffdesk.ui.desk.decision_bar import DecisionBar
from diffdesk.ui.desk.desk_views import Piece, PieceState
from diffdesk.ui.desk.page_image import STEP, PageImage
from diffdesk.ui.desk.page_state import LiveArea, StatePanel
from diffdesk.ui.desk.review_heads import ImageHead, TextHead
from diffdesk.ui.desk.review_text import ReviewText
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper

LOW = 400
"""Height below which the bar of decisions gives up its second row."""


class PageNote(QFrame):
    """How much changed on the page, in a line that can be put away."""

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "info")
        self.text = label("", "body", is_wrapped=True)
        self.close_button = IconButton("x", "Put this line away")
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(self.text, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()
        themes.theme_changed.connect(lambda _: scale_spacing(self, themes.zoom))


class ReviewPanes(QWidget):
    """See the module.

    Signals:
        accepted(int), rejected(int), edited(int, str): the user decided on the piece of this index.
    """

    accepted = Signal(int)
    rejected = Signal(int)
    edited = Signal(int, str)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._pieces: Sequence[Piece] = ()
        self._current = -1
        self._is_narrow = False
        self._has_image = True
        self._name = ""
        self.image = PageImage(themes)
        self.image_head = ImageHead(themes)
        self.text = ReviewText(themes)
        self.text_head = TextHead(themes)
        self.note = PageNote(themes)
        self.state = StatePanel(themes)
        self.live = LiveArea(themes)
        self.bar = DecisionBar(themes)
        self.tabs = QTabBar()
        self._build()
        self._connect()

    # --- what the desk shows --------------------------------------------------------------------------

    @property
    def current(self) -> int:
        """The piece in hand; -1 for none."""
        return self._current

    @property
    def pieces(self) -> Sequence[Piece]:
        """The pieces of the page."""
        return self._pieces

    def show_pieces(self, pieces: Sequence[Piece], *, is_new: bool) -> None:
        """Show another page, or what became of the same one."""
        before, self._pieces = self._pieces, pieces
        self.image.set_pieces(pieces)
        if is_new:
            self.text.show_page(pieces)
            self._current = -1
            self.set_current(walking.next_undecided(pieces, -1))
            return
        self.text.update_pieces(pieces)
        if self._current >= len(pieces) or len(before) != len(pieces):
            self._current = -1
        self.set_current(self._current, is_scrolled=False)

    def show_image(self, image: QImage, size: QSize, note: str) -> None:
        """Show a picture, or what is said in its place; `size` is that of the page in the pixels of its boxes."""
        self.image.set_note(note)
        self.image.set_image(image, size)
        self.image.set_current(self._current)

    def set_name(self, name: str) -> None:
        """Name the page, above its image or, where there is none, above its text."""
        self._name = name
        self.image_head.text.set_text(name)
        self._show_bar()

    def set_has_image(self, has_image: bool) -> None:
        """A text without an image has the room for itself."""
        self._has_image = has_image
        self._arrange()

    def set_narrow(self, is_narrow: bool) -> None:
        """One at a time, or side by side."""
        self._is_narrow = is_narrow
        self._arrange()

    def set_current(self, index: int, *, is_scrolled: bool = True, by: QWidget | None = None) -> None:
        """Take a piece in hand; the part that it was chosen in doesn't scroll."""
        self._current = index
        self.text.set_current(index, is_scrolled=is_scrolled and by is not self.text)
        self.image.set_current(index, is_scrolled=is_scrolled and by is not self.image)
        self._show_bar()

    # --- walking and deciding -------------------------------------------------------------------------

    def walk_changes(self, way: int) -> None:
        """To the next (1) or previous (-1) change."""
        self._walk(way, words.is_change)

    def walk_doubts(self, way: int) -> None:
        """To the next (1) or previous (-1) uncertain word."""
        self._walk(way, words.is_doubtful)

    def accept(self) -> None:
        """Accept the change in hand and go on; a word to which nothing is proposed is passed."""
        self._decide(is_accepted=True)

    def reject(self) -> None:
        """Reject the change in hand and go on."""
        self._decide(is_accepted=False)

    def edit(self, index: int | None = None) -> None:
        """Type over a piece, by default that in hand."""
        chosen = self._current if index is None else index
        if 0 <= chosen < len(self._pieces):
            self.set_current(chosen, by=self.text)
            self.show_part(1)
            self.text.edit_piece(chosen)

    def show_part(self, part: int) -> None:
        """Where one is shown at a time: the page (0) or the text (1)."""
        self.tabs.setCurrentIndex(part)

    def _walk(self, way: int, wanted: walking.Wanted) -> None:
        goal = walking.step(self._pieces, self._current, way, wanted)
        if goal >= 0:
            self.set_current(goal)

    def _decide(self, *, is_accepted: bool) -> None:
        index = self._current
        if not 0 <= index < len(self._pieces):
            return
        piece = self._pieces[index]
        if not words.is_change(piece):
            if is_accepted and words.is_doubtful(piece):
                self.accepted.emit(index)
            self.walk_doubts(1)
            return
        is_same = piece.state is (PieceState.ACCEPTED if is_accepted else PieceState.REJECTED)
        if not is_same:
            (self.accepted if is_accepted else self.rejected).emit(index)
        self.set_current(walking.next_undecided(self._pieces, index))

    def _on_edited(self, index: int, text: str) -> None:
        was_open = words.is_undecided(self._pieces[index])
        self.edited.emit(index, text)
        if was_open:
            self.set_current(walking.next_undecided(self._pieces, index))

    def _show_bar(self) -> None:
        self.bar.show_piece(self._pieces, self._current, walking.position(self._pieces, self._current))
        standing = words.standing(self._pieces) if self._pieces else ""
        names = (self._name if not self._has_image else "", standing)
        self.text_head.text.set_text(" · ".join(one for one in names if one))

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.stack = QStackedWidget()
        for one in (self.text, self.state, self.live):
            self.stack.addWidget(one)
        self.page_pane, self.text_pane = QWidget(), QFrame()
        self.text_pane.setProperty("kind", "page")
        self.text_pane.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        for pane, parts in (
            (self.page_pane, (self.image_head, self.image)),
            (self.text_pane, (self.text_head, self.note, self.stack)),
        ):
            column = QVBoxLayout(pane)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(0)
            for part in parts:
                column.addWidget(part, 1 if part is parts[-1] else 0)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        for number, pane in enumerate((self.page_pane, self.text_pane)):
            self.splitter.addWidget(pane)
            self.splitter.setStretchFactor(number, 1)
        self.splitter.setSizes([1000, 1000])
        self.tabs.addTab("Page")
        self.tabs.addTab("Text")
        self.tabs.setCurrentIndex(1)
        self.tabs.setExpanding(True)
        self.tabs.setDrawBase(False)
        self.tabs.setAccessibleName("Page or text")
        self.tabs.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tabs)
        column.addWidget(self.splitter, 1)
        column.addWidget(self.bar)

    def _connect(self) -> None:
        self.image.piece_hovered.connect(self.text.set_hovered)
        self.text.piece_hovered.connect(self.image.set_hovered)
        self.image.piece_chosen.connect(lambda index: self.set_current(index, by=self.image))
        self.text.piece_chosen.connect(lambda index: self.set_current(index, by=self.text))
        self.text.edit_requested.connect(self.edit)
        self.text.edited.connect(self._on_edited)
        self.image.zoom_changed.connect(lambda _: self._show_zoom())
        self.image_head.pressed.connect(self.zoom)
        self.tabs.currentChanged.connect(lambda _: self._arrange())
        self._show_zoom()

    def zoom(self, name: str) -> None:
        """Do what a button of the image's head does: "in", "out", "width", "page" or "toggle"."""
        match name:
            case "in":
                self.image.zoom_by(STEP)
            case "out":
                self.image.zoom_by(1 / STEP)
            case "width":
                self.image.fit_width()
            case "page":
                self.image.fit_page()
            case _:
                self.image.toggle_fit()
        self._show_zoom()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.bar.set_low(event.size().height() < self._themes.px(LOW))

    def _show_zoom(self) -> None:
        self.image_head.show_zoom(self.image.zoom, self.image.fit)

    def _arrange(self) -> None:
        has_both = self._has_image and not self._is_narrow
        is_text = not self._has_image or self.tabs.currentIndex() == 1
        self.tabs.setVisible(self._has_image and self._is_narrow)
        self.page_pane.setVisible(has_both or not is_text)
        self.text_pane.setVisible(has_both or is_text)
