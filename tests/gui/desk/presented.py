"""The desk's presenter on a real store, pool and engine's lane, with a reader of pages that waits when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from PIL import Image
from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from diffdesk.core.errors import Cancelled, UserError
from diffdesk.core.proposals import Proposal
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from diffdesk.paths import Places, choose_places
from diffdesk.services import desk_work
from diffdesk.services.review import Review
from diffdesk.store import Corrected, DeskRow, Store
from diffdesk.ui.banner import Banner
from diffdesk.ui.desk.desk_presenter import DeskPresenter
from diffdesk.ui.fluent_note import FluentNote
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.model_presenter import ModelPresenter
from diffdesk.ui.place_switch import WindowPlace
from diffdesk.ui.theme import ThemeKeeper
from diffdesk.workers.engine_lane import EngineLane
from diffdesk.workers.file_pool import FilePool
from diffdesk.workers.relay import Relay
from diffdesk.workers.store_lane import StoreLane

T = TypeVar("T")
DRAFT = "Tbe quick brovvn fox"
PROPOSALS = (Proposal(1, 2, "h", 0.95, True), Proposal(13, 15, "w", 0.9, True))


class Reader:
    """Reads every image as one line; while `gate` is closed it waits, until it is open or the page is not wanted.

    Attributes:
        begun: the images that it was asked for.
        error: what it raises instead.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun: list[Path] = []
        self.error: Exception | None = None

    def recognise(self, path: Path, cancelled: Callable[[], bool] | None = None) -> RecognisedPage:
        self.begun.append(path)
        while not self.gate.wait(0.01):
            if cancelled is not None and cancelled():
                raise Cancelled
        if self.error is not None:
            raise self.error
        word = RecognisedWord("Tbe", (2, 2, 8, 8), 0.9)
        return RecognisedPage(20, 10, (RecognisedLine("Tbe", word.box, 0.9, (word,)),))

    def close(self) -> None:
        self.gate.set()


@dataclass
class Presented:
    """A window with a desk and everything behind it but a model."""

    qtbot: QtBot
    window: MainWindow
    lanes: Lanes
    places: Places
    reader: Reader
    desk: DeskPresenter
    told: list[UserError] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    @property
    def rows(self) -> Sequence[DeskRow]:
        return self.desk.queue.rows

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.rows]

    @property
    def review(self) -> Review:
        review = self.desk.opening.review
        assert review is not None
        return review

    def do(self, work: Callable[[Store], T]) -> T:
        """Something with the store, once everything that was asked of it before is done and told."""
        found: list[T] = []
        self.lanes.store.submit(work, found.append)
        self.wait(lambda: bool(found))
        return found[0]

    def settle(self) -> None:
        self.do(lambda store: None)

    def wait(self, what: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(what, timeout=60_000)

    def banners(self) -> str:
        """All that banners say."""
        banners = self.window.findChildren(Banner)
        return "\n".join(one.text() for banner in banners for one in banner.findChildren(QLabel))

    def press_banner(self, words: str) -> None:
        buttons = [one for banner in self.window.findChildren(Banner) for one in banner.action_buttons]
        next(one for one in buttons if words in one.text()).click()

    def close(self) -> None:
        self.desk.close()
        self.reader.close()
        self.lanes.models.close()
        self.lanes.engine.close()
        self.lanes.pool.close()
        self.lanes.store.close()
        self.window.close()


def present(qtbot: QtBot, themes: ThemeKeeper, folder: Path) -> Presented:
    """A window on the profile in `folder`; its desk is shown and not started."""
    themes.set_motion("reduced")
    window = MainWindow(themes)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    parent = QObject(window)
    relay = Relay(parent)
    places = choose_places(folder)
    store, engine, pool = StoreLane(places.data, relay, parent), EngineLane(places.logs, parent), FilePool(relay)
    lanes = Lanes(store, engine, pool, ModelPresenter(window, engine, pool, store))
    reader = Reader()
    desk = DeskPresenter(window, themes, lanes, places, reader, FluentNote(window, store))
    window.add_place(WindowPlace.DESK, desk.view)
    window.open_place(WindowPlace.DESK)
    made = Presented(qtbot, window, lanes, places, reader, desk)
    desk.queue.blocked.connect(made.told.append, Qt.ConnectionType.DirectConnection)
    relay.broke.connect(made.bugs.append, Qt.ConnectionType.DirectConnection)
    return made


def draw(path: Path, pages: int = 1) -> Path:
    """An image, or a TIFF or PDF of several."""
    first, *others = (Image.new("RGB", (200, 100), (255, 250, 5 * number)) for number in range(pages))
    if others:
        first.save(path, save_all=True, append_images=others)
    else:
        first.save(path)
    return path


def fill(folder: Path, texts: int) -> None:
    """A profile whose desk has corrected texts that wait for their review."""
    with Store.open(choose_places(folder).data) as store:
        rows = store.desk.add([desk_work.new_text(DRAFT, f"Text {number}") for number in range(1, texts + 1)])
        for row in rows:
            review = Review(DRAFT, PROPOSALS)
            store.desk.save_corrected(row.id, Corrected(PROPOSALS), desk_work.outcome_of(review), 1.0)
