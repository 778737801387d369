"""The bar along the top: the conversation's title, the model and its state, the network, and everything else.

Shows a `ModelView` and says what the user chose from the menus. Knows nothing of models or of where they lie.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QMenu, QSizePolicy, QWidget

from diffdesk.documents.recogniser_names import RecogniserName
from diffdesk.ui.buttons import IconButton, MenuButton
from diffdesk.ui.icons import icon, pixmap
from diffdesk.ui.place_switch import PlaceSwitch, WindowPlace
from diffdesk.ui.theme import ZOOM_STEPS, Theme, ThemeKeeper
from diffdesk.ui.views import ModelState, ModelView

NARROW = 720
"""Width of the window below which the bar shortens what it says."""

ROOMY = 1080
"""Width from which the names of the places stand beside their icons."""

MODEL_NAME_CHARACTERS = 28
MENU_NAME_CHARACTERS = 40

OFFLINE_HELP = "Nothing leaves this machine: DiffDesk opens no network connection."


class TitleEdit(QLineEdit):
    """The conversation's title, edited in place: Enter takes it, Escape leaves it as it was."""

    renamed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self.setProperty("kind", "title")
        self.setAccessibleName("Title of the conversation")
        self.setToolTip("Rename the conversation (F2)")
        self.setPlaceholderText("New conversation")
        self.setMaxLength(200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(96)
        self.editingFinished.connect(self._on_finished)

    def set_title(self, title: str) -> None:
        """Show a title."""
        self._title = title
        if self.text() != title:
            self.setText(title)
            self.setCursorPosition(0)

    def _on_finished(self) -> None:
        title = " ".join(self.text().split())
        if title and title != self._title:
            self._title = title
            self.renamed.emit(title)
        self.setText(self._title)
        self.setCursorPosition(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._title)
            self.clearFocus()
            return
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clearFocus()


class Header(QFrame):
    """See the module.

    Signals: `model_chosen(Path | None)` None being the starter model; `file_requested()` and `folder_requested()` to
    ask for a model of either kind; `option_chosen(name, value)` for "theme", "zoom", "calm" and "recogniser"; the
    others speak for themselves.
    """

    renamed = Signal(str)
    place_chosen = Signal(str)
    model_chosen = Signal(object)
    file_requested = Signal()
    folder_requested = Signal()
    unload_requested = Signal()
    sidebar_toggled = Signal()
    settings_toggled = Signal()
    export_requested = Signal()
    find_requested = Signal()
    keys_requested = Signal()
    about_requested = Signal()
    option_chosen = Signal(str, object)

    def __init__(self, themes: ThemeKeeper, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._themes = themes
        self._model = ModelView(ModelState.NONE, "")
        self._recent: tuple[Path, ...] = ()
        self._is_calm = False
        self._is_conversation = True
        self._recogniser = RecogniserName.RAPIDOCR
        self._is_narrow = False
        self.setProperty("kind", "bar")
        self.sidebar_button = IconButton("panel-left", "Show or hide the conversations", shortcut="Ctrl+B")
        self.places = PlaceSwitch(themes)
        self.title = TitleEdit()
        self.model_chip = MenuButton("Model")
        self.network_chip = QLabel()
        self.settings_button = IconButton("sliders-horizontal", "Settings of a run", shortcut="Ctrl+,")
        self.more_button = IconButton("ellipsis", "More")
        self._build()
        self._connect()
        self._dress(themes.theme)
        self.set_model(self._model)

    # --- what is shown --------------------------------------------------------------------------------

    def set_title(self, title: str) -> None:
        """Show the conversation's title."""
        self.title.set_title(title)

    def set_place(self, place: WindowPlace) -> None:
        """Show where one is: only conversations have a list, a title and settings of a run."""
        self._is_conversation = place is WindowPlace.CONVERSATIONS
        self.places.set_place(place)
        for one in (self.sidebar_button, self.title, self.settings_button):
            one.setVisible(self._is_conversation)
        self._gap.setVisible(not self._is_conversation)

    def set_model(self, model: ModelView) -> None:
        """Show how the model stands."""
        self._model = model
        self._show_model()

    def set_recent_models(self, paths: Sequence[Path]) -> None:
        """The model files and folders that were opened lately, the last one first."""
        self._recent = tuple(paths)

    @property
    def recent_models(self) -> tuple[Path, ...]:
        """What `set_recent_models` was given."""
        return self._recent

    def set_calm(self, is_calm: bool) -> None:
        """Whether calm mode is on."""
        self._is_calm = is_calm

    def set_recogniser(self, name: RecogniserName) -> None:
        """Which recogniser reads pages."""
        self._recogniser = name

    @property
    def is_calm(self) -> bool:
        """Whether calm mode is on."""
        return self._is_calm

    # --- building -------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.network_chip.setAccessibleName("Network: offline")
        self.network_chip.setAccessibleDescription(OFFLINE_HELP)
        self.network_chip.setToolTip(OFFLINE_HELP)
        self.network_icon = QLabel()
        self.network_icon.setToolTip(OFFLINE_HELP)
        self.network_chip.setText("Offline")
        self.network_chip.setProperty("kind", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 8, 6)
        row.setSpacing(8)
        row.addWidget(self.sidebar_button)
        row.addWidget(self.places)
        row.addWidget(self.title, 1)
        self._gap = QWidget()  # holds the chips to the right where there is no title
        self._gap.hide()
        row.addWidget(self._gap, 1)
        row.addWidget(self.model_chip)
        network = QHBoxLayout()
        network.setSpacing(4)
        network.addWidget(self.network_icon)
        network.addWidget(self.network_chip)
        row.addLayout(network)
        row.addWidget(self.settings_button)
        row.addWidget(self.more_button)
        self.more_button.setPopupMode(IconButton.ToolButtonPopupMode.InstantPopup)
        self.more_button.setMenu(QMenu(self.more_button))

    def _connect(self) -> None:
        self.title.renamed.connect(self.renamed)
        self.places.chosen.connect(self.place_chosen)
        self.sidebar_button.clicked.connect(self.sidebar_toggled)
        self.settings_button.clicked.connect(self.settings_toggled)
        self.model_chip.menu().aboutToShow.connect(self._fill_model_menu)
        self.more_button.menu().aboutToShow.connect(self._fill_more_menu)
        self._themes.theme_changed.connect(self._on_theme_changed)

    def _on_theme_changed(self, theme: Theme) -> None:
        self._dress(theme)
        self._show_model()

    def _dress(self, theme: Theme) -> None:
        side, density = self._themes.px(16), self.devicePixelRatioF()
        self.network_icon.setPixmap(pixmap("lock", theme.ok, side, density))

    def _show_model(self) -> None:
        model, theme = self._model, self._themes.theme
        name = _shortened(model.name or "No model", MODEL_NAME_CHARACTERS)
        said, symbol, colour = name, "cpu", theme.text_muted
        share = -1.0
        if model.state is ModelState.LOADING:
            share = model.share
            said = f"{name} · {round(model.share * 100)} %"
        elif model.state is ModelState.READY:
            symbol, colour = "circle-check", theme.ok
            if model.info is not None and not self._is_narrow:
                said = f"{name} · {device_name(model.info.device)}"
        elif model.state is ModelState.FAILED:
            symbol, colour, said = "circle-alert", theme.danger, f"{name}: not loaded"
        self.model_chip.setText(f" {said}")  # the style sets text against the icon
        self.model_chip.setIcon(icon(symbol, colour))
        self.model_chip.set_progress(share)
        described = describe_model(model)
        self.model_chip.setToolTip(described)
        self.model_chip.setAccessibleName(f"Model: {said}")
        self.model_chip.setAccessibleDescription(described)

    # --- menus ----------------------------------------------------------------------------------------

    def _fill_model_menu(self) -> None:
        menu, colour = self.model_chip.menu(), self._themes.theme.text
        menu.clear()
        menu.addAction(icon("spell-check", colour), "Starter model", lambda: self.model_chosen.emit(None))
        menu.addAction(icon("cpu", colour), "Open a GGUF file…", self.file_requested.emit)
        menu.addAction(icon("folder-open", colour), "Open a model folder…", self.folder_requested.emit)
        if self._recent:
            menu.addSection("Opened lately")
            for path in self._recent:
                symbol = "cpu" if path.suffix.lower() == ".gguf" else "folder-open"
                action = menu.addAction(icon(symbol, colour), _menu_text(path.name or str(path)))
                action.triggered.connect(lambda _=False, one=path: self.model_chosen.emit(one))
                action.setToolTip(str(path))
            menu.setToolTipsVisible(True)
        menu.addSeparator()
        unload = menu.addAction(icon("power", colour), "Unload", self.unload_requested.emit)
        unload.setEnabled(self._model.state in (ModelState.READY, ModelState.LOADING))
        unload.setToolTip("Frees the memory that the model takes.")

    def _fill_more_menu(self) -> None:
        menu, colour = self.more_button.menu(), self._themes.theme.text
        menu.clear()
        menu.addMenu(self._theme_menu(menu))
        menu.addMenu(self._size_menu(menu))
        menu.addMenu(self._recogniser_menu(menu))
        calm = menu.addAction("Calm mode", self._on_calm_toggled)
        calm.setCheckable(True)
        calm.setChecked(self._is_calm)
        calm.setToolTip("While an answer is written, words appear only when they have settled.")
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        if self._is_conversation:
            self._add(menu, "search", "Find in this conversation", "Ctrl+F", self.find_requested)
            self._add(menu, "file-text", "Save conversation as Markdown…", "", self.export_requested)
            menu.addSeparator()
        self._add(menu, "keyboard", "Keys", "F1", self.keys_requested)
        menu.addAction(icon("info", colour), "About DiffDesk", self.about_requested.emit)

    def _add(self, menu: QMenu, symbol: str, text: str, keys: str, signal: object) -> None:
        """An entry that names its keys; the window's shortcut itself is bound once, elsewhere."""
        shown = f"{text}\t{keys}" if keys else text
        action = menu.addAction(icon(symbol, self._themes.theme.text), shown)
        action.triggered.connect(signal)

    def _theme_menu(self, parent: QMenu) -> QMenu:
        menu = QMenu("Theme", parent)
        menu.setIcon(icon("contrast", self._themes.theme.text))
        group = QActionGroup(menu)
        for scheme, text in (("system", "As the desktop"), ("light", "Light"), ("dark", "Dark")):
            action = self._choice(menu, group, text, is_on=self._themes.scheme == scheme)
            action.triggered.connect(lambda _=False, one=scheme: self.option_chosen.emit("theme", one))
        return menu

    def _size_menu(self, parent: QMenu) -> QMenu:
        menu = QMenu("Text size", parent)
        menu.setIcon(icon("zoom-in", self._themes.theme.text))
        group = QActionGroup(menu)
        for zoom in ZOOM_STEPS:
            action = self._choice(menu, group, f"{zoom * 100:.0f} %", is_on=abs(self._themes.zoom - zoom) < 0.01)
            action.triggered.connect(lambda _=False, one=zoom: self.option_chosen.emit("zoom", one))
        return menu

    def _recogniser_menu(self, parent: QMenu) -> QMenu:
        menu = QMenu("Pages are read by", parent)
        menu.setIcon(icon("scan-text", self._themes.theme.text))
        group = QActionGroup(menu)
        for name, text in (
            (RecogniserName.RAPIDOCR, "RapidOCR, which comes with the program"),
            (RecogniserName.TESSERACT, "Tesseract, if it is installed"),
        ):
            action = self._choice(menu, group, text, is_on=name is self._recogniser)
            action.triggered.connect(lambda _=False, one=name: self.option_chosen.emit("recogniser", one.value))
        return menu

    @staticmethod
    def _choice(menu: QMenu, group: QActionGroup, text: str, *, is_on: bool) -> QAction:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_on)
        group.addAction(action)
        return action

    def _on_calm_toggled(self) -> None:
        self._is_calm = not self._is_calm
        self.option_chosen.emit("calm", self._is_calm)

    # --- Qt -------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.places.set_narrow(event.size().width() < self._themes.px(ROOMY))
        is_narrow = event.size().width() < self._themes.px(NARROW)
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self.network_chip.setVisible(not is_narrow)
            self._show_model()


def device_name(device: str) -> str:
    """A device as people call it, in a word or two: what comes after a colon or a comma is left out."""
    kind = re.split(r"[:,]", device, maxsplit=1)[0].strip()
    return {"cpu": "CPU", "cuda": "GPU", "mps": "GPU", "auto": "several GPUs"}.get(kind.lower(), kind)


def _menu_text(name: str) -> str:
    """A name as a menu shows it, with no letter taken as a key."""
    return _shortened(name, MENU_NAME_CHARACTERS).replace("&", "&&")


def _shortened(name: str, most: int) -> str:
    """The beginning and the end of a name: models of one family often differ at the end alone."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def describe_model(model: ModelView) -> str:
    """The model in a few lines: what it is, where it runs, what it can do."""
    if model.state is ModelState.NONE:
        return "No model is loaded. Choose one here."
    if model.state is ModelState.LOADING:
        return f"Loading {model.name}: {model.stage or 'begins'}"
    if model.state is ModelState.FAILED and model.error is not None:
        return f"{model.error.title}. {model.error.text} {model.error.remedy}".strip()
    if model.info is None:
        return model.name
    info = model.info
    lines = [info.name, info.path]
    size = f"{info.parameters / 1e9:.1f} billion" if info.parameters >= 1e9 else f"{info.parameters / 1e6:.0f} million"
    if info.parameters:
        lines.append(f"{size} parameters, {info.precision} on {info.device}")
    lines.append(f"Canvas of {info.canvas_length} tokens, reads up to {info.context_length:,}")
    lines.append("Chats and corrects text" if info.can_chat else "Corrects text; it doesn't chat")
    if not info.can_see_images and info.why_no_images:
        lines.append(info.why_no_images)
    return "\n".join(lines)
