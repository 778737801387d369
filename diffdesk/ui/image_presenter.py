"""Images on their way into the composer: checked, stored as they are, and shown as thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject

from diffdesk.core.errors import UserError
from diffdesk.documents.images import ImportedImage, import_image, thumbnail_png
from diffdesk.store import AttachmentRow
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import error_view, with_thumbnails
from diffdesk.ui.views import ImageView, MessageView
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.store_lane import StoreLane

THUMBNAIL = 320


@dataclass(frozen=True, slots=True)
class _Checked:
    image: ImportedImage
    name: str


class ImagePresenter(QObject):
    """Between drops and pastes, the file pool and the store."""

    def __init__(self, window: MainWindow, pool: FilePool, store: StoreLane) -> None:
        super().__init__(window)
        self._window = window
        self._pool = pool
        self._store = store
        self._known: dict[str, bytes] = {}
        self._refusals: set[str] = set()  # titles of what was said of the images that were offered last

    def offer(self, sources: Sequence[Path | bytes], then: Callable[[ImageView], None] | None = None) -> None:
        """Take images into the composer one after the other; what can't be used is said in a banner.

        What was said of those offered before no longer matters, and goes.
        """
        for title in self._refusals:
            self._window.withdraw_banner(title)
        self._refusals.clear()
        for source in sources:
            self._take(source, then or self._window.add_composer_image)

    def fill(self, views: Sequence[MessageView]) -> None:
        """Give the messages in the transcript their thumbnails, as they become ready."""
        for view in views:
            if view.images:
                self._pool.submit(partial(self._filled, view), self._window.update_message)

    def _filled(self, view: MessageView) -> MessageView:
        return with_thumbnails(view, {one.key: self._thumbnail(one.key, one.path) for one in view.images})

    def _thumbnail(self, key: str, path: Path) -> bytes:
        """The thumbnail's bytes; empty if the file is gone or broken, which the widget shows as such."""
        if key not in self._known:
            try:
                self._known[key] = thumbnail_png(path, THUMBNAIL)
            except UserError:
                return b""
        return self._known[key]

    def _take(self, source: Path | bytes, then: Callable[[ImageView], None]) -> None:
        def work() -> _Checked:
            name = source.name if isinstance(source, Path) else "Pasted image"
            return _Checked(import_image(source), name)

        def done(checked: _Checked) -> None:
            self._keep(checked, then)

        self._pool.submit(work, done, self._on_refused)

    def _keep(self, checked: _Checked, then: Callable[[ImageView], None]) -> None:
        image = checked.image

        def done(row: AttachmentRow) -> None:
            self._pool.submit(
                lambda: ImageView(
                    row.sha256,
                    row.path,
                    checked.name,
                    row.width,
                    row.height,
                    self._thumbnail(row.sha256, row.path),
                    image.facts.notes,
                ),
                then,
                self._on_refused,
            )

        self._store.submit(
            lambda store: store.add_attachment(
                image.data, image.suffix, width=image.facts.width, height=image.facts.height, name=checked.name
            ),
            done,
            self._on_refused,
        )

    def _on_refused(self, error: UserError) -> None:
        self._refusals.add(error.title)
        self._window.show_banner(error_view(error), "error", [])
