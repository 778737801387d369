"""The sheet that asks what reviewed pages are to be written as, which of them, and where to.

It takes the last choice and gives the new one; it writes nothing. Where a file of that name exists it says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from diffdesk.ui.desk import words
from diffdesk.ui.desk.desk_views import ExportChoice, ExportFacts, ExportFormat, ExportReach, ExportScope
from diffdesk.ui.icons import icon
from diffdesk.ui.message_parts import label
from diffdesk.ui.spacing import scale_spacing
from diffdesk.ui.theme import ThemeKeeper


@dataclass(frozen=True, slots=True)
class Described:
    """A format in words. `suffix` is empty where no file is written."""

    name: str
    text: str
    suffix: str
    is_text: bool = False


FORMATS = {
    ExportFormat.TEXT: Described("Plain text", "The words alone.", ".txt", is_text=True),
    ExportFormat.MARKDOWN: Described("Markdown", "Text with paragraphs and pages marked.", ".md", is_text=True),
    ExportFormat.SEARCHABLE_PDF: Described("Searchable PDF", "The pages as they look, the text behind them.", ".pdf"),
    ExportFormat.WORD: Described("Word", "A document to go on writing in.", ".docx", is_text=True),
    ExportFormat.HOCR: Described("hOCR", "Words with their places, as a web page.", ".hocr"),
    ExportFormat.ALTO: Described("ALTO", "Words with their places, as libraries keep them.", ".xml"),
    ExportFormat.CHANGES: Described("List of changes", "Each change and what became of it, as CSV.", ".csv"),
    ExportFormat.CLIPBOARD: Described("Clipboard", "Plain text, ready to paste.", "", is_text=True),
}
WIDTH, NARROW = 560, 480
SCOPES = {
    ExportScope.PAGE: "This page",
    ExportScope.DOCUMENT: "This document",
    ExportScope.REVIEWED: "All reviewed pages",
    ExportScope.ALL: "All corrected pages",
}


class ExportDialog(QDialog):
    """See the module.

    Signals:
        export_chosen(ExportChoice): what to write.
    """

    export_chosen = Signal(object)

    def __init__(
        self, themes: ThemeKeeper, facts: ExportFacts, choice: ExportChoice, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._themes = themes
        self._facts = facts
        self._folder = facts.folder if choice.target is None else _folder_of(choice.target, facts.folder)
        self._has_own_target = False
        self.setWindowTitle("Export")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.format_buttons = {one: QRadioButton(said.name) for one, said in FORMATS.items()}
        self.scope_buttons = {one: QRadioButton() for one in SCOPES}
        self._cells: list[QWidget] = []
        self._groups = [QButtonGroup(self), QButtonGroup(self), QButtonGroup(self)]
        self.keeps_lines = QRadioButton("As on the page")
        self.reflows = QRadioButton("Paragraphs re-flowed")
        self.joins_hyphens = QCheckBox("Join words that are hyphenated at the end of a line")
        self.target = QLineEdit()
        self.browse_button = QPushButton("Browse…")
        self._where_title = label("", "strong")
        self.note = label("", "small", is_wrapped=True)
        self.export_button = QPushButton("Export")
        self.cancel_button = QPushButton("Cancel")
        self._build()
        self._fill(choice)
        self._connect()
        self._refresh()
        scale_spacing(self, themes.zoom)
        self._fit()

    def choice(self) -> ExportChoice:
        """What is chosen now."""
        chosen, scope = self._format(), self._scope()
        has_file = bool(FORMATS[chosen].suffix)
        target = Path(self.target.text().strip()).expanduser() if has_file else None
        return ExportChoice(chosen, scope, self.keeps_lines.isChecked(), self.joins_hyphens.isChecked(), target)

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.target.setAccessibleName("File or folder to write to")
        self.browse_button.setAccessibleName("Choose where to write to")
        self.export_button.setProperty("kind", "primary")
        self.export_button.setDefault(True)
        self._line_options = self._build_lines()
        self._where = self._build_where()
        body = QWidget()
        inside = QVBoxLayout(body)
        inside.setContentsMargins(24, 24, 24, 16)
        inside.setSpacing(8)
        inside.addWidget(label("As", "strong"))
        inside.addLayout(self._build_formats())
        inside.addWidget(self._line_options)
        inside.addSpacing(8)
        inside.addWidget(label("Which pages", "strong"))
        inside.addLayout(self._build_scopes())
        inside.addSpacing(8)
        inside.addWidget(self._where)
        inside.addWidget(self.note)
        inside.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(body)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(area, 1)
        column.addWidget(self._build_foot())
        self.setMinimumSize(320, 280)
        self._body = body

    def _build_formats(self) -> QGridLayout:
        grid = QGridLayout()
        self._formats = grid
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        for one, said in FORMATS.items():
            button = self.format_buttons[one]
            button.setAccessibleName(f"{said.name}. {said.text}")
            self._groups[0].addButton(button)
            text = label(said.text, "small", is_wrapped=True)
            text.setContentsMargins(self._themes.px(24), 0, 0, 0)
            cell = QWidget()
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(0)
            column.addWidget(button)
            column.addWidget(text)
            column.addStretch(1)
            self._cells.append(cell)
        self._place_formats(2)
        return grid

    def _place_formats(self, columns: int) -> None:
        for number, cell in enumerate(self._cells):
            self._formats.addWidget(cell, number // columns, number % columns)
        for column in range(2):
            self._formats.setColumnStretch(column, 1 if column < columns else 0)
        self._formats.setHorizontalSpacing(self._themes.px(24) if columns > 1 else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow the formats stand below each other."""
        super().resizeEvent(event)
        self._place_formats(2 if event.size().width() >= self._themes.px(NARROW) else 1)

    def _build_lines(self) -> QWidget:
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(4)
        column.addWidget(label("Lines", "strong"))
        for one in (self.keeps_lines, self.reflows):
            self._groups[2].addButton(one)
            column.addWidget(one)
        column.addWidget(self.joins_hyphens)
        return part

    def _build_scopes(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(4)
        for scope, button in self.scope_buttons.items():
            self._groups[1].addButton(button)
            button.setText(self._scope_text(scope))
            button.setEnabled(self._reach(scope).pages > 0)
            column.addWidget(button)
        return column

    def _build_where(self) -> QWidget:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.target, 1)
        row.addWidget(self.browse_button)
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._where_title)
        column.addLayout(row)
        return part

    def _build_foot(self) -> QFrame:
        foot = QFrame()
        foot.setProperty("kind", "foot")
        row = QHBoxLayout(foot)
        row.setContentsMargins(24, 12, 24, 12)
        row.setSpacing(8)
        row.addStretch(1)
        row.addWidget(self.cancel_button)
        row.addWidget(self.export_button)
        return foot

    def _fit(self) -> None:
        """As high as its content, if the screen is."""
        width = self._themes.px(WIDTH)
        screen = self.screen().availableSize()
        height = self._body.heightForWidth(width) if self._body.hasHeightForWidth() else self._body.sizeHint().height()
        self.resize(min(width, screen.width()), min(height + self._themes.px(64), screen.height() - 64))

    def _fill(self, choice: ExportChoice) -> None:
        self.format_buttons[choice.format].setChecked(True)
        possible = [one for one in SCOPES if self._reach(one).pages > 0]
        scope = choice.scope if choice.scope in possible or not possible else possible[0]
        self.scope_buttons[scope].setChecked(True)
        (self.keeps_lines if choice.keeps_lines else self.reflows).setChecked(True)
        self.joins_hyphens.setChecked(choice.joins_hyphens)

    def _connect(self) -> None:
        for group in self._groups[:2]:
            group.buttonClicked.connect(lambda _: self._refresh())
        self.target.textEdited.connect(self._on_target_edited)
        self.browse_button.clicked.connect(self._on_browse_clicked)
        self.export_button.clicked.connect(self._on_export_clicked)
        self.cancel_button.clicked.connect(self.reject)

    # --- what follows from what -----------------------------------------------------------------------

    def _format(self) -> ExportFormat:
        return next(one for one, button in self.format_buttons.items() if button.isChecked())

    def _scope(self) -> ExportScope:
        return next(one for one, button in self.scope_buttons.items() if button.isChecked())

    def _reach(self, scope: ExportScope) -> ExportReach:
        return self._facts.reach.get(scope, ExportReach(0))

    def _scope_text(self, scope: ExportScope) -> str:
        reach = self._reach(scope)
        name = SCOPES[scope]
        if scope is ExportScope.PAGE or not reach.pages:
            return name if reach.pages else f"{name} (none yet)"
        files = f" in {reach.files:,} documents" if reach.files > 1 else ""
        return f"{name} ({words.counted(reach.pages, 'page')}{files})"

    def _is_folder(self) -> bool:
        return self._reach(self._scope()).files > 1

    def _refresh(self) -> None:
        said = FORMATS[self._format()]
        self._line_options.setVisible(said.is_text)
        self._where.setVisible(bool(said.suffix))
        self._where_title.setText("Into which folder" if self._is_folder() else "Where to")
        if said.suffix and not self._has_own_target:
            self.target.setText(str(self._suggested(said.suffix)))
        elif said.suffix and not self._is_folder():
            self.target.setText(str(Path(self.target.text()).with_suffix(said.suffix)))
        self.export_button.setText(" Export" if said.suffix else " Copy")
        self.export_button.setIcon(icon("download" if said.suffix else "copy", self._themes.theme.accent_text))
        self._show_note()

    def _suggested(self, suffix: str) -> Path:
        if self._is_folder():
            return self._folder
        # A name of its own: an original that is a PDF is never written over.
        extra = " (text)" if suffix == ".pdf" else ""
        return self._folder / f"{self._facts.name}{extra}{suffix}"

    def _show_note(self) -> None:
        reach = self._reach(self._scope())
        parts = []
        if reach.undecided:
            pages = "1 page has" if reach.undecided == 1 else f"{reach.undecided:,} pages have"
            parts.append(f"{pages} changes that are not decided yet: they are written as the text stands now.")
        if reach.unfinished:
            pages = "1 page is" if reach.unfinished == 1 else f"{reach.unfinished:,} pages are"
            parts.append(f"{pages} not corrected yet and will be left out.")
        target = self.choice().target
        if target is not None and not self._is_folder() and target.is_file():
            parts.append(f"{target.name} is there already and will be replaced.")
        self.note.setText("\n".join(parts))
        self.note.setVisible(bool(parts))
        has_target = target is None or bool(self.target.text().strip())
        self.export_button.setEnabled(reach.pages > 0 and has_target)

    # --- what the user does ---------------------------------------------------------------------------

    def _on_target_edited(self) -> None:
        self._has_own_target = True
        self._show_note()

    def _on_browse_clicked(self) -> None:
        said = FORMATS[self._format()]
        dialog = QFileDialog(self, "Export", self.target.text(), f"{said.name} (*{said.suffix})")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self._is_folder():
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)  # the sheet says it
            dialog.setDefaultSuffix(said.suffix.lstrip("."))
        dialog.fileSelected.connect(self._on_target_chosen)
        dialog.open()

    def _on_target_chosen(self, name: str) -> None:
        self.target.setText(name)
        self._on_target_edited()

    def _on_export_clicked(self) -> None:
        choice = self.choice()
        if choice.target is not None and not choice.target.is_absolute():
            choice = replace(choice, target=self._folder / choice.target)
        self.export_chosen.emit(choice)
        self.accept()


def _folder_of(target: Path, otherwise: Path) -> Path:
    """The folder that was written to the last time, if it is still there."""
    folder = target if target.is_dir() else target.parent
    return folder if folder.is_dir() else otherwise
