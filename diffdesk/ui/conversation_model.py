"""The conversations as rows of a list: grouped by day, with dates as one says them.

Knows nothing of widgets or of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from diffdesk.ui.views import ConversationView, Place

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, or a conversation."""

    heading: str = ""
    view: ConversationView | None = None


def group_of(moment: datetime, today: date) -> str:
    """The heading under which a conversation of that moment stands."""
    day = moment.astimezone().date()
    if day >= today:
        return "Today"
    return "Yesterday" if day == today - timedelta(days=1) else "Earlier"


def spoken_date(moment: datetime, now: datetime) -> str:
    """A moment as one says it: 14:02 today, Tuesday within a week, 3 Mar this year, else 3 Mar 2025."""
    local, today = moment.astimezone(), now.astimezone().date()
    days = (today - local.date()).days
    if days <= 1:
        return local.strftime("%H:%M")
    if days < 7:
        return local.strftime("%A")
    text = f"{local.day} {local.strftime('%b')}"
    return text if local.year == today.year else f"{text} {local.year}"


def grouped(views: Sequence[ConversationView], now: datetime) -> list[Row]:
    """Rows with headings, in the order given."""
    rows: list[Row] = []
    last = ""
    today = now.astimezone().date()
    for view in views:
        heading = group_of(view.updated, today)
        if heading != last:
            rows.append(Row(heading=heading))
            last = heading
        rows.append(Row(view=view))
    return rows


class ConversationModel(QAbstractListModel):
    """Rows for a list view. A title can be edited; the change is reported, not kept.

    Signals:
        renamed(int, str): the user gave a conversation another title.
    """

    renamed = Signal(int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._now = datetime.now().astimezone()

    def show(self, views: Sequence[ConversationView], now: datetime) -> None:
        """Show these conversations, dated from `now`."""
        self.beginResetModel()
        self._now = now
        self._rows = grouped(views, now)
        self.endResetModel()

    def row(self, number: int) -> Row:
        """What stands in a row."""
        return self._rows[number]

    def view_at(self, index: Index) -> ConversationView | None:
        """The conversation of a row, None for a heading."""
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        return self._rows[index.row()].view

    def index_of(self, conversation_id: int) -> QModelIndex:
        """The row of a conversation; invalid if it isn't in the list."""
        for number, row in enumerate(self._rows):
            if row.view is not None and row.view.id == conversation_id:
                return self.index(number)
        return QModelIndex()

    def date_text(self, view: ConversationView) -> str:
        """A conversation's date as shown."""
        return spoken_date(view.updated, self._now)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Titles, and whole sentences for a screen reader."""
        row = self._rows[index.row()]
        view = row.view
        if view is None:
            is_text = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            return row.heading if is_text else None
        title = view.title or "New conversation"
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            kind = "Correction" if view.place is Place.CORRECT else "Chat"
            return f"{title}, {kind}, {self.date_text(view)}" + (f", {view.snippet}" if view.snippet else "")
        if role == Qt.ItemDataRole.ToolTipRole:
            return title
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.view_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Report a new title; the list is shown anew by whoever keeps it."""
        view = self.view_at(index)
        title = " ".join(str(value).split())
        if view is None or role != Qt.ItemDataRole.EditRole or not title or title == view.title:
            return False
        self.renamed.emit(view.id, title)
        return True
