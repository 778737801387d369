"""The desk of a running program as its user has it, and the pages that the tests give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from diffdesk.services.review import Review
from diffdesk.store import DeskRow, DeskState
from diffdesk.ui.app import Program
from diffdesk.ui.desk.desk_presenter import DeskPresenter
from diffdesk.ui.place_switch import WindowPlace
from tests.unit.documents.drawing import font

DONE = (DeskState.READY, DeskState.REVIEWED)
LINES = ["The lamp on the pier was lit", "an hour before dusk, for the", "keeper did not trust the sky."]


@dataclass(frozen=True)
class Desk:
    """The desk's presenter, and the program it belongs to."""

    program: Program
    presenter: DeskPresenter

    @property
    def rows(self) -> Sequence[DeskRow]:
        """The queue."""
        return self.presenter.queue.rows

    @property
    def review(self) -> Review:
        """Of the page that is open."""
        review = self.presenter.opening.review
        assert review is not None
        return review

    def wait_until_done(self, qtbot: QtBot, pages: int) -> None:
        """Wait until that many pages are corrected or have failed."""
        ended = (*DONE, DeskState.FAILED)
        qtbot.waitUntil(lambda: sum(one.state in ended for one in self.rows) >= pages, timeout=180_000)

    def wait_for_review(self, qtbot: QtBot) -> None:
        """Wait until a page can be reviewed."""
        qtbot.waitUntil(lambda: self.presenter.opening.review is not None, timeout=180_000)

    def settle(self, qtbot: QtBot) -> None:
        """Wait until everything that was asked of the store is done and told."""
        done: list[str] = []
        self.program.controller.store.submit(lambda store: "done", done.append)
        qtbot.waitUntil(lambda: bool(done), timeout=30_000)

    def press(self, keys: str) -> None:
        """Press keys in the text of the page."""
        QTest.keyClicks(self.presenter.view.review.text, keys)

    def press_key(self, key: Qt.Key) -> None:
        """Press one key in the text of the page."""
        QTest.keyClick(self.presenter.view.review.text, key)


def open_desk(program: Program) -> Desk:
    """Go to the desk."""
    program.window.open_place(WindowPlace.DESK)
    return Desk(program, program.controller.places.open_desk())


def draw_page(lines: Sequence[str] = LINES, number: int = 0) -> Image.Image:
    """A page with a few lines of print and its number."""
    image = Image.new("L", (620, 60 + 44 * (len(lines) + 1)), 255)
    pen = ImageDraw.Draw(image)
    for row, line in enumerate([*lines, f"Page {number + 1}"]):
        pen.text((30, 24 + 44 * row), line, fill=20, font=font(30))
    return image


def make_pdf(path: Path, pages: int) -> Path:
    """A PDF of pictures of pages."""
    first, *others = (draw_page(number=number) for number in range(pages))
    first.save(path, "PDF", save_all=True, append_images=others, resolution=150)
    return path
