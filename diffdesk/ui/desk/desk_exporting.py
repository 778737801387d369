"""Exports from the desk: asks what, which pages and where to, then writes off the window's thread, page by page.

Pages are taken from the store one after the other while the file is written, so that hundreds need no more memory
than one. Knows nothing of the formats themselves.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from diffdesk.core.errors import Cancelled, ExportError, UserError
from diffdesk.documents.exports.export_page import ExportKind, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.exports.reflow import text_of
from diffdesk.documents.page_images import PageImages
from diffdesk.services import desk_work
from diffdesk.services.desk_export import DonePage, export_page, export_pages_of
from diffdesk.store import DeskContent, DeskRow, DeskState, Store
from diffdesk.ui.desk.desk_queue import DeskQueue
from diffdesk.ui.desk.desk_views import ExportChoice, ExportFacts, ExportFormat, ExportReach, ExportScope
from diffdesk.ui.desk.export_dialog import ExportDialog
from diffdesk.ui.lanes import Lanes
from diffdesk.ui.main_window import MainWindow
from diffdesk.ui.rows import error_view
from diffdesk.ui.theme import ThemeKeeper

STATE_EXPORT = "desk_export"
_DONE = (DeskState.READY, DeskState.REVIEWED)
_NOT_IN_NAMES = frozenset('/\\<>|?*"')  # on one system or another
_PATIENCE_SECONDS = 0.2  # between two looks whether the window is being closed


@dataclass(frozen=True, slots=True)
class _Plan:
    """One file to be written."""

    rows: tuple[DeskRow, ...]
    target: Path


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The files that were written, and why others were not."""

    written: list[Path]
    errors: list[UserError]


class DeskExporting(QObject):
    """See the module."""

    def __init__(
        self, window: MainWindow, themes: ThemeKeeper, lanes: Lanes, queue: DeskQueue, images: PageImages
    ) -> None:
        super().__init__(window)
        self._window = window
        self._themes = themes
        self._store, self._pool = lanes.store, lanes.pool
        self._queue = queue
        self._images = images
        self._choice = ExportChoice()
        self._stop = threading.Event()
        self._store.submit(lambda store: store.state(STATE_EXPORT, {}), self._on_remembered)

    def ask(self, page: int | None) -> None:
        """Ask what to export; `page` is the one that is open."""
        row = None if page is None else self._queue.row(page)
        if row is None:
            return
        facts = self._facts(row)
        if not any(one.pages for one in facts.reach.values()):
            self._window.show_toast("No page is corrected yet", "", None)
            return
        dialog = ExportDialog(self._themes, facts, self._choice, self._window)
        dialog.export_chosen.connect(lambda choice: self._on_chosen(row, choice))
        dialog.open()

    def close(self) -> None:
        """Stop what is being written; a file that is not whole is not left behind."""
        self._stop.set()

    # --- what is chosen -------------------------------------------------------------------------------

    def _facts(self, row: DeskRow) -> ExportFacts:
        reach = {}
        for scope in ExportScope:
            rows = self._rows(row, scope)
            done = [one for one in rows if one.state in _DONE]
            reach[scope] = ExportReach(
                pages=len(done),
                files=len(_documents(done)),
                undecided=sum(one.undecided > 0 for one in done),
                unfinished=len(rows) - len(done),
            )
        source = desk_work.source_of(row)
        folder = Path.home() if source is None or row.is_kept else source.path.parent
        return ExportFacts(_stem(row), folder, reach)

    def _rows(self, row: DeskRow, scope: ExportScope) -> list[DeskRow]:
        rows = self._queue.rows
        match scope:
            case ExportScope.PAGE:
                return [one for one in rows if one.id == row.id]
            case ExportScope.DOCUMENT:
                return [one for one in rows if _document(one) == _document(row)]
            case ExportScope.REVIEWED:
                return [one for one in rows if one.state is DeskState.REVIEWED]
            case ExportScope.ALL:
                return list(rows)

    def _on_remembered(self, kept: dict[str, object]) -> None:
        try:
            self._choice = ExportChoice(
                ExportFormat(str(kept.get("format", ExportFormat.TEXT))),
                ExportScope(str(kept.get("scope", ExportScope.DOCUMENT))),
                bool(kept.get("keeps_lines", True)),
                bool(kept.get("joins_hyphens", False)),
            )
        except ValueError:  # of another version
            self._choice = ExportChoice()

    def _on_chosen(self, row: DeskRow, choice: ExportChoice) -> None:
        self._choice = replace(choice, target=None)
        kept = {
            "format": choice.format.value,
            "scope": choice.scope.value,
            "keeps_lines": choice.keeps_lines,
            "joins_hyphens": choice.joins_hyphens,
        }
        self._store.submit(lambda store: store.set_state(STATE_EXPORT, kept))
        done = [one for one in self._rows(row, choice.scope) if one.state in _DONE]
        options = TextOptions(keep_lines=choice.keeps_lines, join_hyphens=choice.joins_hyphens)
        if choice.target is None:
            self._pool.submit(lambda: self._text(done, options), self._on_text, self._on_failed)
            return
        kind, target = ExportKind(choice.format.value), choice.target
        self._window.show_toast("Writing …", "", None)
        self._pool.submit(lambda: self._write(done, target, kind, options), self._on_written, self._on_failed)

    # --- off the window's thread ----------------------------------------------------------------------

    def _write(self, rows: Sequence[DeskRow], target: Path, kind: ExportKind, options: TextOptions) -> _Outcome:
        outcome = _Outcome([], [])
        for plan in _plans(_documents(rows), target, kind):
            pages = export_pages_of(self._pages(plan.rows), self._images, self._stop.is_set)
            try:
                outcome.written.append(export_pages(pages, plan.target, kind, options, cancelled=self._stop.is_set))
            except UserError as error:
                outcome.errors.append(error)
        return outcome

    def _text(self, rows: Sequence[DeskRow], options: TextOptions) -> str:
        return text_of([export_page(one, None).page for one in self._pages(rows)], options)

    def _pages(self, rows: Sequence[DeskRow]) -> Iterator[DonePage]:
        for row in rows:
            content = self._fetched(partial(_content, page=row.id))
            if content is not None:
                source, page = desk_work.source_of(row), desk_work.page_of(content)
                yield DonePage(row.name, source, page, desk_work.review_of(content))

    def _fetched(self, read: Callable[[Store], DeskContent | None]) -> DeskContent | None:
        """What the store's thread reads, waited for on a thread of the pool."""
        box: queue.SimpleQueue[DeskContent | Exception | None] = queue.SimpleQueue()

        def work(store: Store) -> None:
            try:
                box.put(read(store))
            except Exception as error:  # whoever waits raises it
                box.put(error)

        self._store.submit(work, None, box.put)
        while True:
            try:
                found = box.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    raise Cancelled from None
                continue
            if isinstance(found, Exception):
                raise found
            return found

    # --- what came of it ------------------------------------------------------------------------------

    def _on_written(self, outcome: _Outcome) -> None:
        written, errors = outcome.written, outcome.errors
        if len(written) == 1:
            self._window.show_toast(f"Saved as {written[0].name}", "", None)
        elif written:
            self._window.show_toast(f"{len(written):,} files saved in {written[0].parent.name}", "", None)
        if errors:
            view = error_view(errors[0])
            if len(errors) > 1:
                view = replace(view, text=f"{view.text} {len(errors) - 1:,} more could not be written.")
            self._window.show_banner(view, "error", [])

    def _on_text(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._window.show_toast("Copied", "", None)

    def _on_failed(self, error: UserError) -> None:
        self._window.show_banner(error_view(error), "error", [])


def _content(store: Store, page: int) -> DeskContent | None:
    return store.desk.content(page)


def _document(row: DeskRow) -> tuple[str, Path]:
    """What pages of one file have in common; each text is a document of its own."""
    return (row.kind, row.path) if row.path.name else (f"text {row.id}", row.path)


def _stem(row: DeskRow) -> str:
    """What a file made of a page is called; a pasted image lies under a name that says nothing."""
    if row.path.stem and not row.is_kept:
        return row.path.stem
    return "".join("-" if one in _NOT_IN_NAMES else one for one in row.name.replace(":", ""))[:60].strip() or "Text"


def _documents(rows: Sequence[DeskRow]) -> list[list[DeskRow]]:
    found: dict[tuple[str, Path], list[DeskRow]] = {}
    for one in rows:
        found.setdefault(_document(one), []).append(one)
    return list(found.values())


def _plans(documents: Sequence[list[DeskRow]], target: Path, kind: ExportKind) -> list[_Plan]:
    """One document goes to the target; several go into it as a folder, each under its own name."""
    if len(documents) == 1:
        return [_Plan(tuple(documents[0]), target)]
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            "The folder can't be made", f"{target}: {error.strerror or error}.", "Choose another folder."
        ) from error
    taken: set[str] = set()
    plans: list[_Plan] = []
    for rows in documents:
        stem = _stem(rows[0])
        if rows[0].path.suffix.lower() == kind.suffix:
            stem = f"{stem} (text)"
        name, number = f"{stem}{kind.suffix}", 1
        while name in taken:
            number += 1
            name = f"{stem} ({number}){kind.suffix}"
        taken.add(name)
        plans.append(_Plan(tuple(rows), target / name))
    return plans
