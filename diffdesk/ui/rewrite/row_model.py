"""The rows of a sheet for a table view, and which of them are shown.

Ten thousand rows are one list; differences are made when a row is first painted, and kept. Knows nothing of the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from diffdesk.ui.rewrite.rewrite_views import Key, RowSign, RowView
from diffdesk.ui.rewrite.row_marks import Mark, Piece, difference, one_line

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
NUMBER, SIGN, TEXT, RESULT = range(4)
HEADINGS = ("#", "State", "Text", "Rewritten")

SIGN_WORDS = {
    RowSign.WAITING: "Waiting",
    RowSign.WORKING: "Working",
    RowSign.REVIEW: "Review",
    RowSign.ACCEPTED: "Accepted",
    RowSign.KEPT: "Kept",
    RowSign.SAME: "Same",
    RowSign.FAILED: "Error",
}
SIGN_HELP = {
    RowSign.WAITING: "Waiting for the model",
    RowSign.WORKING: "Being rewritten",
    RowSign.REVIEW: "Rewritten: accept or reject it",
    RowSign.ACCEPTED: "Accepted",
    RowSign.KEPT: "Rejected: the text stays as it was",
    RowSign.SAME: "Nothing was changed",
    RowSign.FAILED: "Not rewritten",
}


class Shown(StrEnum):
    """Which rows are shown."""

    ALL = "all"
    REVIEW = "review"
    ERRORS = "errors"


class RowModel(QAbstractTableModel):
    """All rows of the sheet."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[RowView] = []
        self._places: dict[Key, int] = {}
        self._pieces: dict[int, tuple[Piece, ...]] = {}
        self._live: dict[Key, str] = {}
        self._is_narrow = False

    def set_narrow(self, is_narrow: bool) -> None:
        """Whether there is no room for the heading of the states."""
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, SIGN, SIGN)

    def show(self, rows: Sequence[RowView]) -> None:
        """Show these rows instead of those that are there."""
        self.beginResetModel()
        self._rows = list(rows)
        self._places = {row.key: place for place, row in enumerate(self._rows)}
        self._pieces.clear()
        self._live = {}
        self.endResetModel()

    def update_rows(self, rows: Sequence[RowView]) -> None:
        """Show these rows as they are now; rows that aren't there are passed over."""
        places = []
        for row in rows:
            place = self._places.get(row.key)
            if place is not None:
                self._rows[place] = row
                self._pieces.pop(place, None)
                self._live.pop(row.key, None)
                places.append(place)
        if places:  # one signal for all: whoever listens looks at what is on the screen
            self.dataChanged.emit(self.index(min(places), 0), self.index(max(places), RESULT))

    def show_live(self, texts: Mapping[Key, str]) -> None:
        """How the rows that are being rewritten read at the moment."""
        self._live = dict(texts)
        for key in texts:
            place = self._places.get(key)
            if place is not None:
                here = self.index(place, RESULT)
                self.dataChanged.emit(here, here)

    def row(self, place: int) -> RowView:
        """What stands in a row."""
        return self._rows[place]

    def place_of(self, key: Key) -> int | None:
        """Where a text stands."""
        return self._places.get(key)

    def pieces(self, place: int) -> tuple[Piece, ...]:
        """What the row shows as its result, with its marks."""
        row = self._rows[place]
        if row.sign is RowSign.WORKING and row.key in self._live:
            return (Piece(one_line(self._live[row.key]), Mark.FAINT),)
        found = self._pieces.get(place)
        if found is None:
            found = self._pieces[place] = _result(row)
        return found

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(HEADINGS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Plain texts, and whole sentences for a screen reader; the delegate draws from `row` and `pieces`."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (number_of(row), SIGN_WORDS[row.sign], row.text, row.answer)[column]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(row)
        if role == Qt.ItemDataRole.ToolTipRole and column == SIGN:
            return SIGN_HELP[row.sign] + (f". {row.note}" if row.note else "")
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return "" if self._is_narrow and section == SIGN else HEADINGS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section == NUMBER else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


class RowFilter(QSortFilterProxyModel):
    """The rows that are to be shown."""

    def __init__(self, rows: RowModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = rows
        self._shown = Shown.ALL
        self.setSourceModel(rows)

    @property
    def shown(self) -> Shown:
        """Which rows are shown."""
        return self._shown

    def set_shown(self, shown: Shown) -> None:
        """Show all rows, or those that wait for a decision, or those that failed."""
        if shown != self._shown:
            self.beginFilterChange()
            self._shown = shown
            self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        del source_parent
        if self._shown is Shown.ALL:
            return True
        wanted = RowSign.REVIEW if self._shown is Shown.REVIEW else RowSign.FAILED
        return self._model.row(source_row).sign is wanted

    def row(self, place: int) -> RowView:
        """What stands in a shown row."""
        return self._model.row(self.source_place(place))

    def source_place(self, place: int) -> int:
        """Where a shown row stands among all."""
        return self.mapToSource(self.index(place, 0)).row()


def number_of(row: RowView) -> str:
    """A row's number as one counts."""
    return f"{row.key[0] + 1:,}"


def spoken(row: RowView) -> str:
    """A row as a sentence."""
    where = f"Row {number_of(row)}" + (f", {row.column}" if row.column else "")
    said = [f"{where}, {SIGN_WORDS[row.sign].lower()}", row.text]
    if row.answer and row.sign is not RowSign.SAME:
        said.append(f"rewritten: {row.answer}")
    if row.error is not None:
        said.append(f"{row.error.title}. {row.error.remedy}".strip())
    return ". ".join(part for part in (*said, row.note) if part)


def _result(row: RowView) -> tuple[Piece, ...]:
    if row.sign is RowSign.FAILED:
        said = f"{row.error.title}. {row.error.remedy or row.error.text}" if row.error else row.note
        return (Piece(one_line(said), Mark.BAD),)
    if row.sign in (RowSign.REVIEW, RowSign.ACCEPTED):
        return difference(row.text, row.answer)
    if row.sign in (RowSign.KEPT, RowSign.SAME):
        return (Piece(one_line(row.text), Mark.FAINT),)
    return ()
