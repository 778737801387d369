"""The pages of the queue as rows of a list. Knows nothing of widgets; what the user wants moved it only reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import PageState, QueueRow

Index = QModelIndex | QPersistentModelIndex
MIME_TYPE = "application/x-diffdesk-queue-page"
_NOWHERE = QModelIndex()


class QueueModel(QAbstractListModel):
    """See the module.

    Signals:
        drop_requested(int, object): the page of this id is wanted before that of the second id, or last for None.
    """

    drop_requested = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[QueueRow] = []
        self._places: dict[int, int] = {}

    # --- rows -----------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[QueueRow]:
        """All rows, in order."""
        return self._rows

    def show(self, rows: Sequence[QueueRow]) -> bool:
        """Show these; returns whether the list was built anew, so that selection and scroll have to be put back."""
        old, new = self._rows, list(rows)
        is_longer = len(new) >= len(old) and all(a.id == b.id for a, b in zip(old, new, strict=False))
        if not is_longer:
            self.beginResetModel()
            self._set(new)
            self.endResetModel()
            return True
        changed = [place for place, row in enumerate(old) if row != new[place]]
        if len(new) > len(old):
            self.beginInsertRows(_NOWHERE, len(old), len(new) - 1)
            self._set(new)
            self.endInsertRows()
        else:
            self._set(new)
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))
        return False

    def update_row(self, row: QueueRow) -> None:
        """Show what became of one page; one that isn't listed is ignored."""
        place = self._places.get(row.id)
        if place is not None and self._rows[place] != row:
            self._rows[place] = row
            self.dataChanged.emit(self.index(place), self.index(place))

    def row_at(self, index: Index) -> QueueRow | None:
        """The page of an index."""
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def index_of(self, page_id: int) -> QModelIndex:
        """Where a page is; invalid if it isn't listed."""
        place = self._places.get(page_id)
        return QModelIndex() if place is None else self.index(place)

    def neighbour(self, page_id: int, way: int) -> tuple[bool, int | None]:
        """Whether a waiting page can move one place up (-1) or down (1) among those that wait, and before which then.

        None stands for the end.
        """
        waiting = [row.id for row in self._rows if row.state is PageState.WAITING]
        if page_id not in waiting:
            return False, None
        goal = waiting.index(page_id) + (way if way < 0 else way + 1)
        if goal < 0 or goal > len(waiting):
            return False, None
        return True, waiting[goal] if goal < len(waiting) else None

    def _set(self, rows: list[QueueRow]) -> None:
        self._rows = rows
        self._places = {row.id: place for place, row in enumerate(rows)}

    # --- Qt -------------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.row_at(index)
        if row is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (row.name, words.STATE_WORDS[row.state], note_of(row)) if part)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(row)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        row = self.row_at(index)
        if row is None:
            return Qt.ItemFlag.ItemIsDropEnabled  # between rows, and below the last one
        kept = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return kept | Qt.ItemFlag.ItemIsDragEnabled if row.state is PageState.WAITING else kept

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [MIME_TYPE]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        data = QMimeData()
        row = next((one for one in map(self.row_at, indexes) if one is not None), None)
        if row is not None:
            data.setData(MIME_TYPE, str(row.id).encode())
        return data

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        """Report where the page is wanted; False, for nothing was moved, and the view must not remove the old row."""
        del action, column
        moved = bytes(data.data(MIME_TYPE).data())
        if moved:
            place = row if row >= 0 else parent.row() if parent.isValid() else len(self._rows)
            later = self._rows[place:]
            before = next((one.id for one in later if one.state is PageState.WAITING), None)
            if before != int(moved):
                self.drop_requested.emit(int(moved), before)
        return False


def note_of(row: QueueRow) -> str:
    """The quiet line of a page: what went wrong, if something did."""
    return row.error.title if row.error is not None else row.note


def tooltip(row: QueueRow) -> str:
    """Everything there is to say of a page."""
    error = row.error
    parts = (error.title, error.text, error.remedy) if error is not None else (row.note,)
    return "\n".join(part for part in (row.name, *parts) if part)
