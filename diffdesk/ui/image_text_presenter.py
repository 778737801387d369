"""Puts the text of images into the composer in their place, for a model that can't see them."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from PySide6.QtCore import QObject

from diffdesk.core.errors import UserError
from diffdesk.core.messages import ImageRef
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.reading import Reading, read_images
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import error_view
from diffdesk.ui.views import ImageView
from diffdesk.workers.file_pool import FilePool

NO_TEXT = "No text was found in the image"


class ImageTextPresenter(QObject):
    """Between the composer's notice, the file pool and the recogniser; one reading at a time."""

    def __init__(self, window: MainWindow, pool: FilePool, recogniser: Recogniser) -> None:
        super().__init__(window)
        self._window = window
        self._pool = pool
        self._recogniser = recogniser
        self._stop: threading.Event | None = None  # of the reading at work
        window.image_text_requested.connect(self.read)
        window.image_text_stopped.connect(self.stop)

    def read(self, images: Sequence[ImageView]) -> None:
        """Read these images, then put their text where they were; they stay if that fails or finds nothing."""
        self.stop()
        stop = self._stop = threading.Event()
        self._window.set_reading_images(True)

        def work() -> Reading:
            return read_images(self._recogniser, [ImageRef(one.path, one.name) for one in images], stop.is_set)

        def done(reading: Reading) -> None:
            if self._ends(stop):
                if reading.text.strip():
                    self._window.replace_images_by_text([one.key for one in images], reading.text)
                else:
                    self._window.show_toast(NO_TEXT, "", None)

        def failed(error: UserError) -> None:
            if self._ends(stop):
                self._window.show_banner(error_view(error), "error", [])

        self._pool.submit(work, done, failed)

    def stop(self) -> None:
        """Stop reading; the images stay as they are."""
        if self._stop is not None:
            self._stop.set()
            self._ends(self._stop)

    def _ends(self, stop: threading.Event) -> bool:
        """Whether the reading that `stop` belongs to was the one at work; it no longer is."""
        if self._stop is not stop:
            return False
        self._stop = None
        self._window.set_reading_images(False)
        return True
