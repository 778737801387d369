"""The conversation list: what is in it, searching it, renaming, deleting with undo, exporting."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from diffdesk.core.errors import UserError
from diffdesk.services.export import write_markdown
from diffdesk.store import MessageRow, Store
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import conversation_view, error_view
from diffdesk.ui.views import ConversationView
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.store_lane import StoreLane

_MOST = 500
_TYPING_MILLISECONDS = 120


class HistoryPresenter(QObject):
    """Between the list and the store."""

    def __init__(self, window: MainWindow, store: StoreLane, pool: FilePool) -> None:
        super().__init__(window)
        self._window = window
        self._store = store
        self._pool = pool
        self._query = ""
        self.current: int | None = None
        self._typing = QTimer(self, interval=_TYPING_MILLISECONDS, singleShot=True)
        self._typing.timeout.connect(self.refresh)
        window.searched.connect(self._on_searched)
        window.conversation_renamed.connect(self._on_renamed)
        window.deletion_undone.connect(self._on_deletion_undone)
        window.export_requested.connect(self._on_export_requested)

    def refresh(self) -> None:
        """Ask the store for the list and show it."""
        query = self._query
        self._store.submit(lambda store: _listed(store, query), self._on_listed)

    def delete(self, conversation: int) -> None:
        """Delete one, and offer to bring it back."""
        self._store.submit(lambda store: store.delete(conversation), lambda _: self.refresh())
        self._window.show_toast("Conversation deleted", "Undo", lambda: self._on_deletion_undone(conversation))

    def _on_listed(self, views: list[ConversationView]) -> None:
        self._window.show_conversations(views, self.current)

    def _on_searched(self, query: str) -> None:
        self._query = query
        self._typing.start()

    def _on_renamed(self, conversation: int, title: str) -> None:
        self._store.submit(lambda store: store.rename(conversation, title), lambda _: self.refresh())

    def _on_deletion_undone(self, conversation: int) -> None:
        self._store.submit(lambda store: store.undelete(conversation), lambda _: self.refresh())

    def _on_export_requested(self, conversation: int, path: Path) -> None:
        def read(store: Store) -> tuple[str, list[MessageRow]]:
            return store.conversation(conversation).title, store.branch(conversation)

        def write(found: tuple[str, list[MessageRow]]) -> None:
            title, rows = found
            self._pool.submit(lambda: write_markdown(path, title, rows), self._on_exported, self._on_failed)

        self._store.submit(read, write, self._on_failed)

    def _on_exported(self, path: Path) -> None:
        self._window.show_toast(f"Saved as {path.name}", "", lambda: None)

    def _on_failed(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [])


def _listed(store: Store, query: str) -> list[ConversationView]:
    rows = store.conversations(_MOST, 0, query)
    if not query.strip():
        return [conversation_view(row) for row in rows]
    snippets = {hit.conversation_id: hit.snippet for hit in reversed(store.search(query, _MOST))}
    return [conversation_view(row, snippets.get(row.id, "")) for row in rows]
